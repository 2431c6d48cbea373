//! The order in which a running Deployment becomes a Rollout without losing a pod.
//!
//! 1. Services and routes that the Rollout names are made or changed; they lead to the pods that are there.
//! 2. The Rollout is made beside the Deployment, as large as it is now. Its first version takes no steps. Services select the pods
//!    of both until all pods of the Rollout are available; only then the controller binds them to it.
//! 3. Autoscalers aim at the Rollout at once, so that it is the one to grow with the load, and scale nothing down while there are
//!    twice as many pods as the load needs.
//! 4. The Deployment shrinks by quarters. Nothing needs its pods any more; in quarters, because what cannot be seen (a cache that
//!    is cold, a client that keeps its connections) shows early and costs little.
//! 5. Autoscalers scale down again, and the Deployment stays at zero as the way back, or is deleted.
//!
//! The plan is made anew from what is seen after every step, so it can be stopped and taken up at any point.

use std::fmt;

use serde_json::{Value, json};
use serin_spec::wire::PodTemplate;
use serin_spec::wire::meta::PodMetadata;

use super::target::{aims_at, reference};
use super::{Migration, Options};
use crate::object::Object;
use crate::pod;
use crate::write::{Target, Verb, Write};

/// Share of the pods that go at once: one of this many.
const PARTS: u32 = 4;

/// Annotation of an autoscaler with its behaviour as it was before the move; `null` if it had none.
pub const KEPT_BEHAVIOUR: &str = "serin.dev/behaviour-before-migration";

/// What is on the cluster now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The Deployment; gone at the very end perhaps.
    pub deployment: Option<Object>,
    /// The Rollout of its name, once it is there.
    pub rollout: Option<Object>,
    /// Services, routes and autoscalers of the namespace.
    pub others: Vec<Object>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Something is written.
    Write {
        /// What, for people.
        what: String,
        /// How.
        write: Box<Write>,
    },
    /// Nothing is written until this holds.
    Wait {
        /// What, for people.
        until: String,
    },
}

/// Why a move cannot begin or go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// There is neither the one nor the other.
    Nothing,
    /// An update of the Deployment is under way, so that its pods are not all of one version.
    Updating,
    /// The Deployment got another template than the Rollout was made with.
    OtherTemplate,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "there is neither a Deployment nor a Rollout of this name",
            Self::Updating => "the Deployment is in the middle of an update: wait until it is complete, or undo it",
            Self::OtherTemplate => {
                "the Deployment has another template than the Rollout: deploy its image through the Rollout first, or undo it"
            }
        })
    }
}

impl std::error::Error for Blocked {}

/// The steps that are left, in order; the first one is next. Empty when the move is complete. The steps behind a wait are those
/// that follow when everything goes well.
///
/// # Errors
/// When pods could be lost, or there is nothing to move.
pub fn plan(migration: &Migration, seen: &Seen, options: &Options, delete: bool) -> Result<Vec<Step>, Blocked> {
    guard(seen, options)?;
    let mut steps = Vec::new();
    let size = wanted(seen);
    if seen.rollout.is_none() {
        steps.extend(preparations(migration, seen));
        let mut rollout = migration.rollout.clone();
        rollout.0["spec"]["replicas"] = size.into();
        if let Some(spec) = rollout.0["spec"].as_object_mut() {
            // A paused Rollout makes no pods; no change is held back by it yet.
            spec.remove("paused");
        }
        steps.push(create(&rollout));
    }
    steps.extend(retarget(migration, seen));
    if !seen.rollout.as_ref().is_some_and(|rollout| stands(rollout, size)) {
        steps.push(wait(format!("Rollout {} is healthy with {size} available pods", migration.rollout.name())));
    }
    steps.extend(shrink(seen, size, options));
    steps.extend(restore(migration, seen));
    if let Some(deployment) = seen.deployment.as_ref().filter(|_| delete && !options.workload_ref) {
        let gone = Write::new(Target::of(deployment), Verb::Delete { foreground: false });
        steps.push(write(format!("delete Deployment {}", deployment.name()), gone));
    }
    Ok(steps)
}

fn guard(seen: &Seen, options: &Options) -> Result<(), Blocked> {
    let Some(deployment) = &seen.deployment else {
        return if seen.rollout.is_some() { Ok(()) } else { Err(Blocked::Nothing) };
    };
    match &seen.rollout {
        Some(rollout) if !options.workload_ref => {
            match same_template(&rollout.0["spec"]["template"], &deployment.0["spec"]["template"]) {
                true => Ok(()),
                false => Err(Blocked::OtherTemplate),
            }
        }
        Some(_) => Ok(()),
        None => {
            let replicas = count(&deployment.0["spec"]["replicas"]).unwrap_or(1);
            let of = |key: &str| count(&deployment.0["status"][key]).unwrap_or(0);
            let seen = deployment.0["status"]["observedGeneration"].as_i64() == Some(deployment.generation());
            let complete = of("updatedReplicas") == replicas && of("replicas") == replicas;
            if seen && complete { Ok(()) } else { Err(Blocked::Updating) }
        }
    }
}

/// By meaning: what servers fill in and what they leave out is the same.
fn same_template(one: &Value, other: &Value) -> bool {
    pod::is_same(&PodTemplate(one.clone()), &PodMetadata::default(), &PodTemplate(other.clone()))
}

/// How many pods the load needs: what the Rollout is set to, or before there is one the Deployment.
fn wanted(seen: &Seen) -> u32 {
    let of = |object: &Option<Object>| object.as_ref().map(|object| count(&object.0["spec"]["replicas"]).unwrap_or(1));
    of(&seen.rollout).or_else(|| of(&seen.deployment)).unwrap_or(1)
}

fn count(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

/// The Rollout has this many available pods, and its status is about what it is now.
fn stands(rollout: &Object, size: u32) -> bool {
    let status = &rollout.0["status"];
    let observed = status["observedGeneration"].as_str().and_then(|text| text.parse::<i64>().ok());
    observed == Some(rollout.generation())
        && status["phase"] == "Healthy"
        && count(&status["availableReplicas"]).unwrap_or(0) >= size
}

/// Services that are missing, and routes that do not know them yet.
fn preparations(migration: &Migration, seen: &Seen) -> Vec<Step> {
    let find = |object: &Object| seen.others.iter().find(|o| o.kind() == object.kind() && o.name() == object.name());
    let services = migration.services.iter().filter(|service| find(service).is_none()).map(create);
    let routes = migration.routes.iter().filter_map(|route| {
        let now = find(route)?;
        let rules = json!({ "spec": { "rules": route.0["spec"]["rules"] } });
        let patch = Write::new(Target::of(now), Verb::MergePatch(rules));
        let what = format!("let {} {} know the Service of the new version", route.kind(), route.name());
        (now.0["spec"]["rules"] != route.0["spec"]["rules"]).then(|| write(what, patch))
    });
    services.chain(routes).collect()
}

/// Autoscalers of the Deployment, and of the Rollout of its name.
fn autoscalers<'s>(migration: &'s Migration, seen: &'s Seen) -> impl Iterator<Item = &'s Object> {
    let name = migration.rollout.name();
    let scales = |object: &Object| object.0["spec"]["scaleTargetRef"] == reference(name);
    let of = move |object: &&Object| scales(object) || aims_at(object, &migration.rollout);
    seen.others.iter().filter(|object| object.kind() == "HorizontalPodAutoscaler").filter(of)
}

/// Autoscalers of the Deployment, at the Rollout, with no way down for the time being.
fn retarget(migration: &Migration, seen: &Seen) -> Vec<Step> {
    let name = migration.rollout.name();
    autoscalers(migration, seen)
        .filter(|autoscaler| aims_at(autoscaler, &migration.rollout))
        .map(|autoscaler| {
            let kept = autoscaler.0["spec"]["behavior"].to_string();
            let patch = json!({
                "metadata": { "annotations": { KEPT_BEHAVIOUR: kept } },
                "spec": {
                    "scaleTargetRef": reference(name),
                    "behavior": { "scaleDown": { "selectPolicy": "Disabled" } },
                },
            });
            let what = format!("aim autoscaler {} at the Rollout, and let it scale nothing down", autoscaler.name());
            write(what, Write::new(Target::of(autoscaler), Verb::MergePatch(patch)))
        })
        .collect()
}

/// The Deployment at zero, by quarters, each when the pods of the one before have gone.
fn shrink(seen: &Seen, size: u32, options: &Options) -> Vec<Step> {
    let Some(deployment) = &seen.deployment else { return Vec::new() };
    let mut left = count(&deployment.0["spec"]["replicas"]).unwrap_or(1);
    let name = deployment.name();
    if options.workload_ref {
        // The controller scales it itself, once the Rollout is healthy.
        return (left > 0)
            .then(|| wait(format!("the controller has scaled Deployment {name} to 0")))
            .into_iter()
            .collect();
    }
    let gone = |left: u32| wait(format!("Deployment {name} has {left} pods, and the Rollout stands"));
    let part = size.max(left).div_ceil(PARTS).max(1);
    let mut steps = Vec::new();
    if count(&deployment.0["status"]["replicas"]).unwrap_or(0) > left {
        steps.push(gone(left));
    }
    while left > 0 {
        left = left.saturating_sub(part);
        let patch = json!({ "spec": { "replicas": left } });
        let scaled = Write::new(Target::of(deployment), Verb::MergePatch(patch));
        steps.push(write(format!("scale Deployment {name} to {left}"), scaled));
        steps.push(gone(left));
    }
    steps
}

/// Autoscalers as they were, but for their aim.
fn restore(migration: &Migration, seen: &Seen) -> Vec<Step> {
    let held = autoscalers(migration, seen).filter_map(|autoscaler| {
        // What is aimed in a step before is held by then.
        let kept = autoscaler.annotation(KEPT_BEHAVIOUR).map(str::to_owned);
        let kept = kept.or_else(|| {
            aims_at(autoscaler, &migration.rollout).then(|| autoscaler.0["spec"]["behavior"].to_string())
        })?;
        let mut behaviour: Value = serde_json::from_str(&kept).unwrap_or(Value::Null);
        if behaviour.is_object() && behaviour["scaleDown"]["selectPolicy"].is_null() {
            // A merge leaves what it does not name, and the policy that holds it has to go.
            behaviour["scaleDown"]["selectPolicy"] = Value::Null;
        }
        let patch = json!({
            "metadata": { "annotations": { KEPT_BEHAVIOUR: null } },
            "spec": { "behavior": behaviour },
        });
        let what = format!("let autoscaler {} scale down again", autoscaler.name());
        Some(write(what, Write::new(Target::of(autoscaler), Verb::MergePatch(patch))))
    });
    held.collect()
}

fn create(object: &Object) -> Step {
    write(format!("create {} {}", object.kind(), object.name()), Write::create(object.0.clone()))
}

fn write(what: String, write: Write) -> Step {
    Step::Write { what, write: Box::new(write) }
}

fn wait(until: String) -> Step {
    Step::Wait { until }
}
