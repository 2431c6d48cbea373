//! A cluster as the commands see it: one namespace, its objects, and writes with what they fall back to.

mod answer;
pub(crate) mod follow;
mod seen;
mod view;
mod workload;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serin_cluster::resource::{
    ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, DEPLOYMENT, EXPERIMENT, INGRESS, POD, POD_TEMPLATE,
    REPLICA_SET, ROLLOUT, Resource, SERVICE,
};
use serin_cluster::{Client, Error, Options};
use serin_controller::write::Target;
use serin_controller::{Object, Write};
use serin_core::Time;
use serin_kubectl::verb::undo;
use serin_kubectl::{Change, Family};
use serin_local::protocol::Request;
use serin_spec::Source;

use crate::error::CliError;

/// How often a write is tried again that somebody else was faster than.
const ATTEMPTS: usize = 5;

/// One namespace of a cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// The client.
    pub(crate) client: Client,
    /// The namespace.
    pub(crate) namespace: String,
}

impl Cluster {
    /// Connects; without a namespace it is that of the context.
    pub(crate) async fn connect(options: &Options, namespace: Option<&str>) -> Result<Self, Error> {
        let client = Client::new(options).await?;
        let namespace = namespace.filter(|n| !n.is_empty()).unwrap_or(client.namespace()).to_owned();
        Ok(Self { client, namespace })
    }

    /// An object of the namespace.
    pub(crate) async fn get(&self, resource: Resource, name: &str) -> Result<Option<Object>, Error> {
        self.client.get(resource, &self.namespace, name).await
    }

    /// The objects of a kind in the namespace; none where the kind is not known.
    pub(crate) async fn all(&self, resource: Resource) -> Result<Vec<Object>, Error> {
        known(self.client.list(resource, Some(&self.namespace), "").await)
    }

    /// Everything among which what a rollout or an experiment owns is found.
    pub(crate) async fn family(&self) -> Result<Family, Error> {
        let (replica_sets, pods, experiments, runs) =
            tokio::try_join!(self.all(REPLICA_SET), self.all(POD), self.all(EXPERIMENT), self.all(ANALYSIS_RUN),)?;
        Ok(Family { replica_sets, pods, experiments, runs })
    }

    /// The ReplicaSets that a rollout selects.
    pub(crate) async fn replica_sets(&self, rollout: &Object) -> Result<Vec<Object>, Error> {
        self.client.list(REPLICA_SET, Some(&self.namespace), &undo::selector(rollout)).await
    }

    /// The object that holds the template of a rollout: itself, or the one that its `workloadRef` names.
    pub(crate) async fn holder(&self, rollout: &Object) -> Result<Object, Error> {
        let Some((version, kind, name)) = undo::reference(rollout) else { return Ok(rollout.clone()) };
        let resource = match kind.as_str() {
            "Deployment" => DEPLOYMENT,
            "ReplicaSet" => REPLICA_SET,
            "PodTemplate" => POD_TEMPLATE,
            _ => return Err(Error::Kind { api_version: version, kind }),
        };
        self.get(resource, &name).await?.ok_or_else(|| missing(&resource.target(&self.namespace, &name)))
    }

    /// Sends a change: the status first, then the object; where there is no status subresource, what stands instead of both.
    //= compat: 7.4-1, 7.5-5
    pub(crate) async fn change(&self, change: &Change) -> Result<(), Error> {
        let mut rest = &change.spec;
        if let Some(status) = &change.status {
            match self.client.send(status).await {
                Err(error) if error.is_not_found() && change.instead.is_some() => rest = &change.instead,
                sent => _ = sent?,
            }
        }
        if let Some(write) = rest {
            self.client.send(write).await?;
        }
        Ok(())
    }

    /// Reads, changes and writes; all of it again when somebody else was faster.
    pub(crate) async fn retried<E: From<Error>>(
        &self,
        read: impl AsyncFn() -> Result<Object, E>,
        change: impl Fn(&Object) -> Result<Write, E>,
    ) -> Result<Object, E> {
        for attempt in 1.. {
            let write = change(&read().await?)?;
            match self.client.send(&write).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => {}
                sent => return Ok(sent?.unwrap_or_default()),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// The objects of the namespace that lints look at, as manifests, without those that are written already.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn sources(&self, written: &[serde_json::Value]) -> Result<Vec<Source>, Error> {
        let kinds = [ROLLOUT, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT, SERVICE, INGRESS, DEPLOYMENT];
        let mut sources = Vec::new();
        for kind in kinds {
            let all = match self.all(kind).await {
                // Whoever may not read a kind is told about the others.
                Err(error) if error.code() == 403 => continue,
                all => all?,
            };
            for mut object in all {
                let same =
                    |one: &serde_json::Value| one["kind"] == kind.kind && one["metadata"]["name"] == object.name();
                // What experiments and rollouts made is theirs, and says nothing of its own.
                if object.controller().is_some() || written.iter().any(same) {
                    continue;
                }
                let name = format!("{}/{}", kind.plural, object.name());
                trim(&mut object.0);
                // JSON is YAML, but nobody can read a place in it.
                let text = serde_saphyr::to_string(&object.0);
                sources.extend(text.ok().map(|text| Source::new(name, text)));
            }
        }
        Ok(sources)
    }

    /// Answers what a control process answers on one machine.
    ///
    /// # Errors
    /// What was refused, or that the cluster is not reached.
    pub(crate) async fn answer(&self, request: &Request) -> Result<serde_json::Value, CliError> {
        answer::answer(self, request).await
    }

    /// A rollout by its name.
    pub(crate) async fn rollout(&self, name: &str) -> Result<Object, Error> {
        self.get(ROLLOUT, name).await?.ok_or_else(|| missing(&ROLLOUT.target(&self.namespace, name)))
    }
}

/// An object that is not there, in the server's words.
pub(crate) fn missing(target: &Target) -> Error {
    let plural = Resource::find(&target.api_version, &target.kind).map_or_else(String::new, |r| r.plural.to_owned());
    let group = target.api_version.rsplit_once('/').map_or_else(String::new, |(group, _)| format!(".{group}"));
    Error::Api {
        verb: "get",
        what: format!("{} {}/{}", target.kind, target.namespace, target.name),
        code: 404,
        reason: "NotFound".to_owned(),
        message: format!("{plural}{group} \"{}\" not found", target.name),
    }
}

/// A kind whose definition is not installed has no objects.
fn known(listed: Result<Vec<Object>, Error>) -> Result<Vec<Object>, Error> {
    match listed {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        listed => listed,
    }
}

/// An object as its author wrote it: without what the server and the controller put there.
fn trim(object: &mut serde_json::Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "labels" | "annotations"));
    }
}

/// The time.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
