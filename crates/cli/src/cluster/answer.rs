//! What a control process answers on one machine, answered from a cluster: the same requests, the same refusals in the same
//! words, and what is written is what the kubectl plugin writes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serin_cluster::Error;
use serin_cluster::resource::{EVENT, ROLLOUT};
use serin_controller::write::{Target, Verb};
use serin_controller::{Object, Write};
use serin_core::Time;
use serin_kubectl::verb::{self, How};
use serin_kubectl::{Change, VerbError};
use serin_local::model::{Key, Workload};
use serin_local::protocol::{Outcome, Request};
use serin_local::request::{self, Done};
use serin_local::{EventRecord, LocalError};
use serin_spec::{Source, read};

use super::seen::Seen;
use super::workload::{moment, workload};
use super::{Cluster, now, view};
use crate::error::CliError;

/// Events told with an experiment.
const EXPERIMENT_EVENTS: usize = 30;

/// Who applies.
const ONE_MACHINE: &str = "leave out --kube-context, --kubeconfig and --namespace";

/// Answers a request.
pub(super) async fn answer(cluster: &Cluster, asked: &Request) -> Result<Value, CliError> {
    let asker = Asker { cluster: cluster.clone() };
    match asked {
        Request::Status { service } => json(&asker.views(service.as_deref()).await?),
        Request::Apply { sources } => json(&asker.apply(sources).await?),
        Request::Deploy { service, version, container } => {
            let edit = |w: &mut Workload, _: Time| request::deploy(w, version, container.as_deref());
            asker.change(service, edit, What::Template).await
        }
        Request::Promote { service, full } => {
            let how = if *full { How::Full } else { How::On };
            asker.change(service, |w, _| request::promote(w, *full), What::Promote(how)).await
        }
        Request::Rollback { service } => asker.change(service, |w, _| request::rollback(w), What::Template).await,
        Request::Undo { service, to_revision } => {
            asker.change(service, |w, _| request::undo(w, *to_revision), What::Template).await
        }
        Request::Abort { service } => asker.change(service, |w, _| request::abort(w), What::Simple(verb::abort)).await,
        Request::Retry { service } => {
            asker.change(service, |w, _| request::retry(w), What::Simple(verb::retry_rollout)).await
        }
        Request::Pause { service } => asker.change(service, |w, _| request::pause(w), What::Simple(verb::pause)).await,
        Request::Restart { service, in_seconds } => {
            let at = Time::from_millis(now().as_millis().saturating_add((in_seconds * 1000.0) as i64));
            asker.change(service, |w, _| request::restart(w, at, *in_seconds), What::Restart(at)).await
        }
        Request::Delete { service } => asker.delete(service).await,
        Request::Manifest { service } => {
            let (all, seen) = (asker.within(service).read().await?, asker.within(service));
            json(&seen.meant(&all, service)?.iter().map(|object| object.0.clone()).collect::<Vec<_>>())
        }
        Request::Experiments { name } => asker.experiments(name.as_deref()).await,
        Request::Terminate { experiment } => {
            let end = |namespace: &str, name: &str| verb::terminate("Experiment", namespace, name);
            asker.experiment(experiment, "ends", Ask::Change(end)).await
        }
        Request::DeleteExperiment { experiment } => asker.experiment(experiment, "is deleted", Ask::Delete).await,
        Request::Events { service, count } => json(&asker.events(service.as_deref(), *count).await?),
        Request::Logs { .. } => Err(CliError::usage("members of a cluster have their logs there", "use kubectl logs")),
        Request::Labels { .. } | Request::Info | Request::Query { .. } | Request::Metrics | Request::Down => {
            Err(CliError::usage("this is for the control process of one machine", ONE_MACHINE))
        }
    }
}

/// What is written once a request is judged.
enum What {
    /// A change that needs nothing but the name.
    Simple(fn(&str, &str) -> Change),
    /// A promotion.
    Promote(How),
    /// The template that the request made.
    Template,
    /// A restart at this time.
    Restart(Time),
}

/// What is asked of an experiment.
enum Ask {
    Change(fn(&str, &str) -> Change),
    Delete,
}

/// A request while it is answered.
struct Asker {
    cluster: Cluster,
}

impl Asker {
    /// The namespace that a name brings along.
    fn within(&self, service: &str) -> Self {
        let namespace = service.split_once('/').map_or(self.cluster.namespace.as_str(), |(namespace, _)| namespace);
        Self { cluster: Cluster { namespace: namespace.to_owned(), ..self.cluster.clone() } }
    }

    async fn read(&self) -> Result<Seen, CliError> {
        Ok(Seen::read(&self.cluster).await?)
    }

    /// The rollouts that a service name means.
    fn meant<'s>(&self, seen: &'s Seen, service: &str) -> Result<Vec<&'s Object>, CliError> {
        let key = |object: &Object| Key::new(object.namespace(), object.name());
        let all: Vec<Key> = seen.rollouts.iter().map(key).collect();
        let found = request::resolve(service, all.iter())?;
        Ok(seen.rollouts.iter().filter(|object| found.contains(&key(object))).collect())
    }

    /// A rollout as it is judged, with the object that holds its template.
    async fn held(&self, rollout: &Object, seen: &Seen) -> Result<(Workload, Object), CliError> {
        let holder = match self.cluster.holder(rollout).await {
            Ok(holder) => holder,
            // It says itself that its template is missing.
            Err(Error::Api { code: 404, .. } | Error::Kind { .. }) => rollout.clone(),
            Err(error) => return Err(error.into()),
        };
        let other = (holder.uid() != rollout.uid()).then_some(&holder);
        Ok((workload(rollout, other, seen, now())?, holder))
    }

    async fn views(&self, service: Option<&str>) -> Result<Vec<serin_local::view::RolloutView>, CliError> {
        let asker = self.within(service.unwrap_or_default());
        let seen = asker.read().await?;
        let rollouts = match service {
            Some(service) => asker.meant(&seen, service)?,
            None => seen.rollouts.iter().collect(),
        };
        let mut views = Vec::new();
        for rollout in rollouts {
            views.push(match asker.held(rollout, &seen).await {
                Ok((held, _)) => view::rollout(rollout, &held, &seen, now()),
                // One that nobody here can read hides none of the others.
                Err(error @ CliError::Usage { .. }) if service.is_none() => view::unread(rollout, &error, now()),
                Err(error) => return Err(error),
            });
        }
        Ok(views)
    }

    /// Changes the rollouts that a service name means, one after the other. For `all`, one that has nothing to change is no
    /// error, but if none has, the first refusal is the answer.
    async fn change(
        &self,
        service: &str,
        edit: impl Fn(&mut Workload, Time) -> Result<Done, LocalError>,
        what: What,
    ) -> Result<Value, CliError> {
        let asker = self.within(service);
        let seen = asker.read().await?;
        let mut outcomes = Vec::new();
        let mut refusal: Option<CliError> = None;
        for rollout in asker.meant(&seen, service)? {
            let name = format!("{}/{}", rollout.namespace(), rollout.name());
            match asker.change_one(rollout, &seen, &edit, &what).await {
                Ok(done) => outcomes.push(Outcome { rollout: name, message: done.message, changed: done.changed }),
                Err(error) => {
                    outcomes.push(Outcome { rollout: name, message: error.to_string(), changed: false });
                    refusal.get_or_insert(error);
                }
            }
        }
        match refusal {
            Some(error) if service != "all" || outcomes.iter().all(|o| !o.changed) => Err(error),
            _ => json(&outcomes),
        }
    }

    async fn change_one(
        &self,
        rollout: &Object,
        seen: &Seen,
        edit: &impl Fn(&mut Workload, Time) -> Result<Done, LocalError>,
        what: &What,
    ) -> Result<Done, CliError> {
        let (mut held, holder) = self.held(rollout, seen).await?;
        let done = edit(&mut held, now())?;
        if !done.changed {
            return Ok(done);
        }
        let (namespace, name) = (rollout.namespace(), rollout.name());
        match what {
            What::Simple(change) => self.cluster.change(&change(namespace, name)).await?,
            What::Restart(at) => self.cluster.change(&verb::restart(namespace, name, *at)).await?,
            What::Promote(how) => {
                let change = verb::promote(rollout, *how);
                let refused = |error: VerbError| CliError::usage(error.to_string(), "see `serin explain`");
                self.cluster.change(&change.map_err(refused)?).await?;
            }
            What::Template => {
                let write = verb::undo::replace(&holder, &held.template());
                self.cluster.client.send(&write).await?;
            }
        }
        Ok(done)
    }

    async fn delete(&self, service: &str) -> Result<Value, CliError> {
        let asker = self.within(service);
        let seen = asker.read().await?;
        let mut outcomes = Vec::new();
        for rollout in asker.meant(&seen, service)? {
            let write = Write::new(Target::of(rollout), Verb::Delete { foreground: false });
            asker.cluster.client.send(&write).await?;
            let name = format!("{}/{}", rollout.namespace(), rollout.name());
            outcomes.push(Outcome { message: format!("{name} is deleted"), rollout: name, changed: true });
        }
        json(&outcomes)
    }

    /// Makes the objects of manifests as they are written there, in their order, namespaces first.
    async fn apply(&self, sources: &[(String, String)]) -> Result<Vec<Outcome>, CliError> {
        let sources: Vec<Source> = sources.iter().map(|(name, text)| Source::new(name, text)).collect();
        let mut objects: Vec<Object> = read::objects(&sources).into_iter().map(Object).collect();
        for object in &mut objects {
            let resource = serin_cluster::Resource::find(object.api_version(), object.kind()).ok_or_else(|| {
                let what = format!("{} {} ({})", object.kind(), object.name(), object.api_version());
                CliError::usage(format!("{what} is of a kind that serin does not apply"), "use kubectl apply for it")
            })?;
            if resource.namespaced && object.namespace().is_empty() {
                object.0["metadata"]["namespace"] = self.cluster.namespace.clone().into();
            }
        }
        objects.sort_by_key(|object| object.kind() != "Namespace");
        let mut outcomes = Vec::new();
        for object in &objects {
            let before = self.cluster.client.get(resource(object)?, object.namespace(), object.name()).await?;
            let after = self.cluster.client.apply(object, true, false).await?;
            let version = |object: &Object| object.0["metadata"]["resourceVersion"].clone();
            let (word, changed) = match before {
                None => ("created", true),
                Some(before) if version(&before) == version(&after) => ("unchanged", false),
                Some(_) => ("changed", true),
            };
            let place = if object.namespace().is_empty() { String::new() } else { format!("{}/", object.namespace()) };
            let name = format!("{place}{}", object.name());
            let message = format!("{} {name} is {word}", object.kind());
            outcomes.push(Outcome { rollout: name, message, changed });
        }
        Ok(outcomes)
    }

    async fn experiments(&self, name: Option<&str>) -> Result<Value, CliError> {
        let asker = self.within(name.unwrap_or_default());
        let seen = asker.read().await?;
        let Some(name) = name else {
            let all = seen.family.experiments.iter();
            return json(&all.map(|e| view::experiment(e, &seen, now(), Vec::new())).collect::<Vec<_>>());
        };
        let experiment = asker.named(&seen, name)?;
        let events = asker.of_object(&asker.all_events().await?, "Experiment", experiment.name());
        let from = events.len().saturating_sub(EXPERIMENT_EVENTS);
        json(&[view::experiment(experiment, &seen, now(), events[from..].to_vec())])
    }

    /// The experiment of this name, or the only one that begins with it.
    fn named<'s>(&self, seen: &'s Seen, name: &str) -> Result<&'s Object, CliError> {
        let short = name.rsplit_once('/').map_or(name, |(_, name)| name);
        let all = &seen.family.experiments;
        let known = || all.iter().map(Object::name).collect::<Vec<_>>().join(", ");
        if let Some(one) = all.iter().find(|e| e.name() == short) {
            return Ok(one);
        }
        match all.iter().filter(|e| e.name().starts_with(short)).collect::<Vec<_>>().as_slice() {
            [one] => Ok(one),
            [] => Err(CliError::usage(format!("there is no experiment \"{name}\""), format!("known: {}", known()))),
            _ => Err(CliError::usage(format!("\"{name}\" may be any of several"), format!("known: {}", known()))),
        }
    }

    async fn experiment(&self, name: &str, said: &str, ask: Ask) -> Result<Value, CliError> {
        let asker = self.within(name);
        let seen = asker.read().await?;
        let object = asker.named(&seen, name)?;
        match ask {
            Ask::Change(change) => asker.cluster.change(&change(object.namespace(), object.name())).await?,
            Ask::Delete => {
                let write = Write::new(Target::of(object), Verb::Delete { foreground: false });
                asker.cluster.client.send(&write).await?;
            }
        }
        let name = format!("{}/{}", object.namespace(), object.name());
        json(&[Outcome { message: format!("experiment {name} {said}"), rollout: name, changed: true }])
    }

    async fn all_events(&self) -> Result<Vec<Object>, CliError> {
        Ok(self.cluster.all(EVENT).await?)
    }

    /// What is told of an object, oldest first; what was told several times stands where it was told last.
    fn of_object(&self, events: &[Object], kind: &str, name: &str) -> Vec<EventRecord> {
        let about = |event: &&Object| {
            let object = &event.0["involvedObject"];
            object["kind"] == kind && object["name"] == name
        };
        let record = |event: &Object| {
            let text = |key: &str| event.0[key].as_str().unwrap_or_default().to_owned();
            let keys = ["lastTimestamp", "eventTime", "firstTimestamp"];
            let at = keys.into_iter().find_map(|key| moment(&event.0[key])).unwrap_or_else(|| event.created());
            EventRecord {
                at_ms: at.as_millis(),
                object: format!("{}/{name}", event.namespace()),
                reason: text("reason"),
                message: text("message"),
                warning: event.0["type"] == "Warning",
            }
        };
        let mut told: Vec<EventRecord> = events.iter().filter(about).map(record).collect();
        told.sort_by_key(|event| event.at_ms);
        told
    }

    async fn events(&self, service: Option<&str>, count: usize) -> Result<Vec<EventRecord>, CliError> {
        let asker = self.within(service.unwrap_or_default());
        let rollouts = asker.cluster.client.list(ROLLOUT, Some(&asker.cluster.namespace), "").await?;
        let keys: BTreeMap<Key, &Object> =
            rollouts.iter().map(|object| (Key::new(object.namespace(), object.name()), object)).collect();
        let meant = match service {
            Some(service) => request::resolve(service, keys.keys())?,
            None => keys.keys().cloned().collect(),
        };
        let events = asker.all_events().await?;
        let mut told: Vec<EventRecord> =
            meant.iter().flat_map(|key| asker.of_object(&events, "Rollout", &key.name)).collect();
        told.sort_by_key(|event| event.at_ms);
        let from = told.len().saturating_sub(count);
        Ok(told.split_off(from))
    }
}

fn resource(object: &Object) -> Result<serin_cluster::Resource, Error> {
    let found = serin_cluster::Resource::find(object.api_version(), object.kind());
    let (api_version, kind) = (object.api_version().to_owned(), object.kind().to_owned());
    found.ok_or(Error::Kind { api_version, kind })
}

fn json(value: &impl Serialize) -> Result<Value, CliError> {
    serde_json::to_value(value).map_err(|error| CliError::Bug(error.to_string()))
}
