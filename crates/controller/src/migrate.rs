//! From a Deployment to a Rollout: the objects that take its place, what is lost on the way, and the order of a move that loses no
//! pod ([`plan()`]). Pure: objects in, objects out.

pub mod plan;
mod route;
mod service;
mod target;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::object::{Object, strings};

pub use plan::{Seen, Step, plan};

/// How the new version takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Step by step.
    #[default]
    Canary,
    /// At once, when a person says so.
    BlueGreen,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// How the new version takes over.
    pub strategy: Strategy,
    /// The Deployment stays as the place of the template, at zero replicas.
    pub workload_ref: bool,
    /// The service in front of the pods, where several select them.
    pub service: Option<String>,
}

/// The objects that take the place of a Deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Migration {
    /// The Rollout.
    pub rollout: Object,
    /// Services that are new.
    pub services: Vec<Object>,
    /// Routes that know the new service, in place of those that were given.
    pub routes: Vec<Object>,
    /// Autoscalers that aim at the Rollout, in place of those that were given.
    pub autoscalers: Vec<Object>,
    /// What is lost, or is left for a person.
    pub notes: Vec<String>,
}

/// Why there is no Rollout for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is something else.
    Kind(String),
    /// A switch needs a service that is switched.
    NoService,
    /// Several services select the pods, and none was named.
    ManyServices(Vec<String>),
    /// The service that was named does not select the pods.
    OtherService(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "{kind} is no Deployment of apps/v1"),
            Self::NoService => write!(f, "blue-green switches a Service, and none of those at hand selects the pods"),
            Self::ManyServices(names) => write!(f, "several Services select the pods: {}", names.join(", ")),
            Self::OtherService(name) => write!(f, "no Service {name} at hand selects the pods"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Annotations that tools write about the object that carries them.
const OF_THE_DEPLOYMENT: [&str; 2] =
    ["deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"];

/// The objects that take the place of a Deployment among these others: Services, Ingresses, routes, autoscalers. Those of other
/// namespaces are not looked at.
///
/// # Errors
/// When it is no Deployment, or its service cannot be told.
pub fn migrate(deployment: &Object, others: &[Object], options: &Options) -> Result<Migration, Refusal> {
    if deployment.kind() != "Deployment" || !deployment.api_version().starts_with("apps/") {
        return Err(Refusal::Kind(deployment.kind().to_owned()));
    }
    let others: Vec<&Object> = others.iter().filter(|other| other.namespace() == deployment.namespace()).collect();
    let mut notes = losses(deployment);
    let (strategy, services, routes) = match options.strategy {
        Strategy::BlueGreen => blue_green(deployment, &others, options)?,
        Strategy::Canary => canary(deployment, &others, options, &mut notes)?,
    };
    let autoscalers = target::autoscalers(deployment, &others);
    notes.extend(target::by_hand(deployment, &others));
    let rollout = rollout(deployment, &strategy, options);
    Ok(Migration { rollout, services, routes, autoscalers, notes })
}

fn rollout(deployment: &Object, strategy: &Value, options: &Options) -> Object {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), deployment.name().into());
    if !deployment.namespace().is_empty() {
        metadata.insert("namespace".to_owned(), deployment.namespace().into());
    }
    let mut annotations = deployment.annotations();
    annotations.retain(|key, _| !OF_THE_DEPLOYMENT.contains(&key.as_str()));
    for (key, map) in [("labels", deployment.labels()), ("annotations", annotations)] {
        if !map.is_empty() {
            metadata.insert(key.to_owned(), json!(map));
        }
    }
    let old = &deployment.0["spec"];
    let kept = ["replicas", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "paused"];
    let kept = kept.into_iter().filter(|key| !old[*key].is_null());
    let mut spec: Map<String, Value> = kept.map(|key| (key.to_owned(), old[key].clone())).collect();
    if options.workload_ref {
        let reference = json!({
            "apiVersion": deployment.api_version(), "kind": "Deployment", "name": deployment.name(),
            "scaleDown": "onsuccess",
        });
        spec.insert("workloadRef".to_owned(), reference);
    } else {
        spec.insert("selector".to_owned(), old["selector"].clone());
        let mut template = old["template"].clone();
        if let Some(metadata) = template["metadata"].as_object_mut() {
            metadata.remove("creationTimestamp");
        }
        spec.insert("template".to_owned(), template);
    }
    spec.insert("strategy".to_owned(), strategy.clone());
    Object(json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec }))
}

/// Strategy, new services and changed routes.
type Shape = (Value, Vec<Object>, Vec<Object>);

fn blue_green(deployment: &Object, others: &[&Object], options: &Options) -> Result<Shape, Refusal> {
    let active = service::in_front(deployment, others, options)?.ok_or(Refusal::NoService)?;
    let (preview, made) = service::beside(active, others, "preview");
    // A Deployment's user never had to promote, but a switch that nobody looked at is worth no second set of pods.
    let strategy = json!({
        "blueGreen": {
            "activeService": active.name(),
            "previewService": preview,
            "autoPromotionEnabled": false,
        },
    });
    Ok((strategy, made.into_iter().collect(), Vec::new()))
}

fn canary(
    deployment: &Object,
    others: &[&Object],
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Shape, Refusal> {
    let mut canary = Map::new();
    let (mut services, mut routes) = (Vec::new(), Vec::new());
    let front = match service::in_front(deployment, others, options) {
        Ok(front) => front,
        Err(Refusal::ManyServices(names)) => {
            let names = names.join(", ");
            notes.push(format!(
                "several Services select the pods ({names}): name one with --service to route by weight; \
                 as it is, a version's share is its share of the pods"
            ));
            None
        }
        Err(other) => return Err(other),
    };
    if let Some(stable) = front {
        let (name, made) = service::beside(stable, others, "canary");
        let found = route::routing(stable.name(), &name, others);
        notes.extend(found.notes);
        if let Some(routing) = found.routing {
            canary.insert("stableService".to_owned(), stable.name().into());
            canary.insert("canaryService".to_owned(), name.into());
            canary.insert("trafficRouting".to_owned(), routing);
            services.extend(made);
            routes = found.routes;
        }
    }
    if !canary.contains_key("trafficRouting") {
        notes.extend(coarse(deployment));
    }
    for key in ["maxSurge", "maxUnavailable"] {
        let value = &deployment.0["spec"]["strategy"]["rollingUpdate"][key];
        if !value.is_null() {
            canary.insert(key.to_owned(), value.clone());
        }
    }
    let pause = json!({ "pause": { "duration": "5m" } });
    let steps = json!([{ "setWeight": 20 }, pause, { "setWeight": 50 }, pause, { "setWeight": 100 }]);
    canary.insert("steps".to_owned(), steps);
    Ok((json!({ "canary": canary }), services, routes))
}

/// Fewer pods than steps of 20 percent need.
const PODS_FINE: u64 = 5;

fn coarse(deployment: &Object) -> Option<String> {
    let replicas = deployment.0["spec"]["replicas"].as_u64().unwrap_or(1);
    (replicas < PODS_FINE).then(|| {
        format!(
            "no router is known for it, so a version's share is its share of the pods: with {replicas} of them 20 % is one pod"
        )
    })
}

/// What a Deployment has and a Rollout does not.
fn losses(deployment: &Object) -> Vec<String> {
    let mut notes = Vec::new();
    if deployment.0["spec"]["strategy"]["type"] == "Recreate" {
        notes.push(
            "the Deployment ends its old pods before it starts new ones (Recreate); a Rollout runs both versions side by side"
                .to_owned(),
        );
    }
    if let Some(owner) = deployment.controller() {
        notes.push(format!(
            "the Deployment belongs to {} {}, which will make it again: change it there",
            owner.kind, owner.name
        ));
    }
    if let Some(tool) = deployment.label("app.kubernetes.io/managed-by") {
        notes.push(format!("the Deployment is looked after by {tool}: put the Rollout in its place there"));
    }
    notes
}

/// The labels of the pods.
fn pod_labels(deployment: &Object) -> BTreeMap<String, String> {
    strings(&deployment.0["spec"]["template"]["metadata"]["labels"])
}

/// A copy of an object as somebody would write it: without what a server or a tool adds.
fn written(object: &Object) -> Object {
    let mut object = object.clone();
    if let Some(fields) = object.0.as_object_mut() {
        fields.remove("status");
    }
    let Some(metadata) = object.0["metadata"].as_object_mut() else { return object };
    metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
    without_annotations(metadata, &OF_THE_DEPLOYMENT);
    object
}

/// Metadata without these annotations, and without an empty map of them.
fn without_annotations(metadata: &mut Map<String, Value>, keys: &[&str]) {
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { return };
    annotations.retain(|key, _| !keys.contains(&key.as_str()));
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}
