//! An API server in memory, with a ReplicaSet controller that makes pods at once and a router that carries what it is told.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serin_controller::install::permission;
use serin_controller::render::Sources;
use serin_controller::render::replica_set::{Taken, taken};
use serin_controller::templates::Templates;
use serin_controller::write::{Failure, Verb};
use serin_controller::{Cluster, Object, Observed, ReplicaSet, Write, decide_ahead, merge_patch, observe, render};
use serin_core::{Span, Split, Time, invalid};
use serin_spec::timestamp;
use serin_spec::wire::analysis::AnalysisRunSpec;

use crate::stage::NOW;

/// Passes without a wait; more than any moment needs.
const PASSES_MAX: usize = 60;

/// Objects by kind and name, all in one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    objects: BTreeMap<(String, String), Value>,
    pub(crate) split: Option<Split>,
    pub(crate) now: Time,
    version: u64,
    /// Everything that was written, one line each.
    pub(crate) log: Vec<String>,
}

impl Server {
    pub(crate) fn new(objects: impl IntoIterator<Item = Value>) -> Self {
        let mut server = Self { objects: BTreeMap::new(), split: None, now: NOW, version: 0, log: Vec::new() };
        objects.into_iter().for_each(|object| server.store(object));
        server
    }

    fn store(&mut self, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        self.objects.insert((object["kind"].as_str().unwrap().to_owned(), name), object);
    }

    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects.get(&(kind.to_owned(), name.to_owned()))
    }

    pub(crate) fn of(&self, kind: &str) -> Vec<Object> {
        self.objects.iter().filter(|((k, _), _)| k == kind).map(|(_, object)| Object(object.clone())).collect()
    }

    /// A person changes an object.
    pub(crate) fn patch(&mut self, kind: &str, name: &str, patch: &Value) {
        let object = self.get(kind, name).unwrap();
        let mut changed = merge_patch::apply(object, patch);
        if changed["spec"] != object["spec"] && kind == "Rollout" {
            changed["metadata"]["generation"] = json!(changed["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        self.store(changed);
    }

    /// Somebody makes an object.
    pub(crate) fn put(&mut self, object: Value) {
        self.store(object);
    }

    /// Somebody deletes an object.
    pub(crate) fn delete(&mut self, kind: &str, name: &str) {
        self.objects.remove(&(kind.to_owned(), name.to_owned()));
    }

    /// Sends a write; an answer that is no success is an error.
    fn send(&mut self, write: &Write) -> Result<(), String> {
        assert!(permission::of(write).is_some(), "nothing allows {:?}", permission::asked(write));
        let (kind, name) = (write.target.kind.clone(), write.target.name.clone());
        let present = self.get(&kind, &name).cloned();
        let changed = match (&write.verb, present) {
            (Verb::Create(_), _) if kind == "Event" => return Ok(()),
            (Verb::Create(_), Some(_)) => return Err("AlreadyExists".to_owned()),
            (Verb::Create(body), None) => {
                let mut body = body.clone();
                body["metadata"]["uid"] = format!("{kind}-{name}").into();
                body["metadata"]["creationTimestamp"] = timestamp::format(self.now).into();
                body
            }
            (_, None) => return Err("NotFound".to_owned()),
            (Verb::Update(body), Some(present)) => {
                if body["metadata"]["resourceVersion"] != present["metadata"]["resourceVersion"] {
                    return Err("Conflict".to_owned());
                }
                body.clone()
            }
            (Verb::MergePatch(patch), Some(present)) => merge_patch::apply(&present, patch),
            (Verb::StatusPatch(patch), Some(present)) => {
                assert!(patch.as_object().unwrap().keys().eq(["status"]), "{patch}");
                merge_patch::apply(&present, patch)
            }
            (Verb::StrategicPatch(patch), Some(present)) => strategic(&present, patch),
            (Verb::JsonPatch(patch), Some(_)) => return Err(format!("no pass writes such a patch: {patch}")),
            (Verb::Delete { .. }, Some(_)) => {
                self.objects.remove(&(kind, name));
                return Ok(());
            }
        };
        self.store(changed);
        Ok(())
    }

    /// The ReplicaSet controller: every ReplicaSet has its pods, all of them available.
    fn replica_sets(&mut self) {
        for object in self.of("ReplicaSet") {
            let size = ReplicaSet(object.clone()).size();
            let status = json!({ "replicas": size, "readyReplicas": size, "availableReplicas": size });
            if object.0["status"] != status {
                let mut changed = object.0;
                changed["status"] = status;
                self.store(changed);
            }
        }
    }

    fn cluster(&self) -> Cluster {
        let rollout = self.get("Rollout", "web").unwrap().clone();
        let reference = rollout["spec"]["workloadRef"].clone();
        let workload = reference["kind"].as_str().and_then(|kind| self.get(kind, reference["name"].as_str()?));
        Cluster {
            rollout: serde_json::from_value(rollout).unwrap(),
            workload: workload.cloned().map(Object),
            replica_sets: self.of("ReplicaSet").into_iter().map(ReplicaSet).collect(),
            services: self.of("Service"),
            templates: Templates::default(),
            runs: self.of("AnalysisRun").into_iter().map(|run| serde_json::from_value(run.0).unwrap()).collect(),
            experiments: self.of("Experiment").into_iter().map(|e| serde_json::from_value(e.0).unwrap()).collect(),
            pods: self.of("Pod"),
            split: self.split.clone(),
        }
    }

    /// Passes over an experiment until nothing is written any more. Returns when it wants to be looked at again.
    pub(crate) fn settle_experiment(&mut self, name: &str) -> Option<Time> {
        for _ in 0..PASSES_MAX {
            let experiment = serde_json::from_value(self.get("Experiment", name).unwrap().clone()).unwrap();
            let replica_sets: Vec<ReplicaSet> = self.of("ReplicaSet").into_iter().map(ReplicaSet).collect();
            let runs = self.of("AnalysisRun").into_iter().map(|run| serde_json::from_value(run.0).unwrap());
            let (services, runs) = (self.of("Service"), runs.collect::<Vec<_>>());
            let cluster = serin_controller::experiment::Cluster {
                experiment: &experiment,
                replica_sets: &replica_sets,
                services: &services,
                runs: &runs,
                problem: &|_| None,
                routed: &|hash| {
                    let mut extra = self.split.iter().flat_map(|s| &s.experiment);
                    extra.any(|d| d.hash == *hash && d.weight > 0)
                },
            };
            let world = serin_controller::experiment::observe(&cluster);
            let decision = serin_core::experiment::decide(&world, self.now);
            let spec = |_: &str| Ok(AnalysisRunSpec::default());
            let writes = serin_controller::experiment::render(&cluster, &decision, &spec, self.now);
            if writes.is_empty() {
                return decision.wake_at;
            }
            for write in writes {
                self.log.extend(line(&write));
                if let Err(why) = self.send(&write)
                    && write.failure == Failure::Stop
                {
                    self.log.push(format!("  {why}, stops"));
                    break;
                }
            }
            self.replica_sets();
        }
        panic!("it never settles:\n{}", self.log.join("\n"));
    }

    /// One pass that is cut off after `writes` writes; says whether it had any, and when to come back.
    pub(crate) fn pass(&mut self, mut writes: usize) -> (bool, Option<Time>) {
        let cluster = self.cluster();
        let (planned, mut split, wake_at) = match observe(&cluster) {
            Observed::Leaving => return (false, None),
            Observed::Written(writes) => (writes, None, Some(self.now)),
            Observed::Invalid(view, problem) => {
                let rendered = render::invalid(&view, &invalid(&view.world, &problem, self.now));
                (rendered.writes, None, rendered.wake_at)
            }
            Observed::Ready(view) => {
                let ahead = decide_ahead(&view, self.now);
                let pods = self.of("Pod");
                let sources = Sources { pods: &pods, run_spec: &|_| Ok(AnalysisRunSpec::default()), now: self.now };
                let rendered = ahead.render(&view, &sources);
                (rendered.writes, rendered.split.map(|split| (rendered.before_split, split)), rendered.wake_at)
            }
        };
        let any = planned.iter().any(|write| write.target.kind != "Event") || split.is_some();
        for (i, write) in planned.iter().enumerate() {
            if let Some((_, split)) = split.take_if(|(before, _)| *before == i) {
                self.route(split);
            }
            if writes == 0 {
                return (any, Some(self.now));
            }
            writes -= 1;
            self.log.extend(line(write));
            match self.send(write) {
                Ok(()) => {}
                Err(why) if write.failure != Failure::Stop => self.log.push(format!("  {why}, goes on")),
                Err(why) => {
                    self.log.push(format!("  {why}, stops"));
                    self.name_taken(&cluster, write);
                    return (any, Some(self.now));
                }
            }
        }
        if let Some((_, split)) = split {
            self.route(split);
        }
        self.replica_sets();
        (any, wake_at)
    }

    fn route(&mut self, split: Split) {
        self.log.push(format!("router {}% to {}", split.weight, split.canary));
        self.split = Some(split);
    }

    /// What follows when the name of a new ReplicaSet is taken.
    fn name_taken(&mut self, cluster: &Cluster, write: &Write) {
        let (Verb::Create(_), Some(existing)) = (&write.verb, self.get("ReplicaSet", &write.target.name)) else {
            return;
        };
        let Observed::Ready(view) = observe(cluster) else { return };
        if taken(&view, &ReplicaSet::new(existing.clone())) == Taken::Collision {
            let counted = render::rollout::name_taken(&view).unwrap();
            self.send(&counted).unwrap();
        }
    }

    /// Passes until nothing is written any more.
    pub(crate) fn settle(&mut self) -> Option<Time> {
        for _ in 0..PASSES_MAX {
            if let (false, wake_at) = self.pass(usize::MAX) {
                return wake_at;
            }
        }
        panic!("it never settles:\n{}", self.log.join("\n"));
    }

    /// Lets time pass, with a pass whenever one is due.
    pub(crate) fn wait(&mut self, seconds: i64) {
        let end = self.now + Span::from_secs(seconds);
        while let Some(at) = self.settle().filter(|at| *at <= end && *at > self.now) {
            self.now = at;
        }
        self.now = end;
        self.settle();
    }

    /// `Healthy`, or phase and message.
    pub(crate) fn phase(&self) -> String {
        let status = &self.get("Rollout", "web").unwrap()["status"];
        let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("phase"), text("message")).trim().to_owned()
    }

    /// What matters in the end: sizes, selectors, the split, the phase. Times and versions do not.
    pub(crate) fn outcome(&self) -> Value {
        let pools = self.of("ReplicaSet").into_iter().map(|pool| {
            let annotations = pool.0["metadata"]["annotations"].clone();
            json!([
                pool.name(),
                pool.0["spec"]["replicas"],
                annotations["rollout.argoproj.io/revision"],
                pool.0["metadata"]["ownerReferences"][0]["uid"]
            ])
        });
        let services =
            self.of("Service").into_iter().map(|service| json!([service.name(), service.0["spec"]["selector"]]));
        json!({
            "pools": pools.collect::<Vec<_>>(),
            "services": services.collect::<Vec<_>>(),
            "weight": self.split.as_ref().map(|split| split.weight),
            "phase": self.phase(),
            "step": self.get("Rollout", "web").unwrap()["status"]["currentStepIndex"],
        })
    }
}

/// Owners by uid, everything else as a merge patch does it.
fn strategic(object: &Value, patch: &Value) -> Value {
    let mut rest = patch.clone();
    let owners = rest["metadata"].as_object_mut().and_then(|metadata| metadata.remove("ownerReferences"));
    if let Some(metadata) = rest["metadata"].as_object_mut() {
        metadata.remove("uid");
    }
    if rest["metadata"].is_null() {
        rest.as_object_mut().unwrap().remove("metadata");
    }
    let mut changed = merge_patch::apply(object, &rest);
    for owner in owners.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let mut held = changed["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        held.retain(|one| one["uid"] != owner["uid"]);
        if owner["$patch"] != "delete" {
            held.push(owner.clone());
        }
        changed["metadata"]["ownerReferences"] = held.into();
    }
    changed
}

/// A write in one line; an event as it is told.
fn line(write: &Write) -> Option<String> {
    let target = format!("{} {}", write.target.kind, write.target.name);
    Some(match &write.verb {
        Verb::Create(body) if write.target.kind == "Event" => {
            let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            format!("  {}: {}", text("reason"), text("message"))
        }
        Verb::Create(_) => format!("create {target}"),
        Verb::Update(body) => format!("update {target} replicas {}", body["spec"]["replicas"]),
        Verb::MergePatch(body) => format!("patch {target} {body}"),
        Verb::StrategicPatch(body) | Verb::JsonPatch(body) => format!("patch {target} {body}"),
        Verb::StatusPatch(body) => {
            let keys: Map<String, Value> = body["status"].as_object().unwrap().clone();
            let told = ["phase", "message", "currentStepIndex", "stableRS"].into_iter();
            let told = told.filter_map(|key| Some(format!("{key}={}", keys.get(key)?)));
            format!("status {} fields {}", keys.len(), told.collect::<Vec<_>>().join(" ")).trim().to_owned()
        }
        Verb::Delete { .. } => format!("delete {target}"),
    })
}
