//! ingress-nginx: a canary Ingress beside each stable one, with the weight in an annotation (section 6.2 of the reference).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serin_core::weight::Split;
use serin_spec::wire::Rollout;
use serin_spec::wire::traffic::NginxTrafficRouting;

use crate::backend::{Context, Roles};
use crate::change::{Change, Event, Verb};
use crate::object::{ObjectRef, Pick, annotation, items};
use crate::problem::Problem;

const API_VERSION: &str = "networking.k8s.io/v1";
const KIND: &str = "Ingress";
const FIELD: &str = "spec.strategy.canary.trafficRouting.nginx";
const PREFIX: &str = "nginx.ingress.kubernetes.io";
/// The class of an Ingress before there was a field for it.
const CLASS: &str = "kubernetes.io/ingress.class";
/// Longest name of an object, in characters, and what stays of it before the suffix.
const NAME_MOST: usize = 253;
const NAME_CUT: usize = 246;

/// `trafficRouting.nginx`.
#[derive(Debug, Clone, PartialEq)]
pub struct Nginx {
    namespace: String,
    pairs: Vec<Pair>,
    prefix: String,
    /// Annotations that users want on the canary Ingress, with their whole keys.
    wanted: BTreeMap<String, String>,
    /// `maxTrafficWeight`, where it is set.
    most: Option<u32>,
}

/// A stable Ingress and its canary.
#[derive(Debug, Clone, PartialEq)]
struct Pair {
    path: String,
    stable: String,
    canary: String,
}

impl Nginx {
    /// Reads the configuration.
    //= compat: 6.2-1, 8.4-1
    pub(crate) fn of(rollout: &Rollout, wire: &NginxTrafficRouting) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let one = wire.stable_ingress.iter().filter(|name| !name.is_empty());
        let one = one.map(|name| (format!("{FIELD}.stableIngress"), name));
        let several = wire.stable_ingresses.iter().enumerate();
        let several = several.map(|(i, name)| (format!("{FIELD}.stableIngresses[{i}]"), name));
        let named: Vec<_> = one.chain(several).collect();
        if named.len() > wire.stable_ingresses.len() && !wire.stable_ingresses.is_empty() {
            problems.push(Problem::spec(FIELD, "stableIngress and stableIngresses are both set: keep one of them"));
        } else if named.is_empty() {
            let message = "neither stableIngress nor stableIngresses is set: name the Ingress of the stable service";
            problems.push(Problem::spec(FIELD, message));
        }
        let mut pairs: Vec<Pair> = Vec::new();
        for (path, stable) in named {
            let canary = canary_name(rollout.metadata.name(), stable);
            if stable.is_empty() {
                problems.push(Problem::spec(path, "the name is empty: name an Ingress"));
            } else if let Some(other) = pairs.iter().find(|pair| pair.canary == canary) {
                let message = match other.stable == *stable {
                    true => format!("`{stable}` is named twice"),
                    false => format!("the canary Ingress of `{stable}` would be that of `{}`, too", other.stable),
                };
                problems.push(Problem::spec(path, message));
            } else {
                pairs.push(Pair { path, stable: stable.clone(), canary });
            }
        }
        let prefix = wire.annotation_prefix.clone().filter(|prefix| !prefix.is_empty());
        let prefix = prefix.unwrap_or_else(|| PREFIX.to_owned());
        let most = traffic_most(rollout);
        let wanted = wanted_annotations(wire, &prefix);
        let total = format!("{prefix}/canary-weight-total");
        if wanted.get(&total).is_some_and(|total| total.parse() != Ok(most.unwrap_or(100))) {
            let message = format!("the annotation {total} needs trafficRouting.maxTrafficWeight of the same value");
            problems.push(Problem::spec(FIELD, message));
        }
        if rollout.spec.strategy.canary.as_ref().is_some_and(|canary| canary.ping_pong.is_some()) {
            let message =
                "nginx cannot follow services that swap: use canaryService and stableService without pingPong";
            problems.push(Problem::spec("spec.strategy.canary.pingPong", message));
        }
        let namespace = rollout.metadata.namespace().to_owned();
        if problems.is_empty() { Ok(Self { namespace, pairs, prefix, wanted, most }) } else { Err(problems) }
    }

    /// The Ingresses of both kinds.
    pub(crate) fn wants(&self) -> Vec<ObjectRef> {
        self.pairs.iter().flat_map(|pair| [&pair.stable, &pair.canary]).map(|name| self.ingress(name)).collect()
    }

    /// The weights that the canary Ingresses carry, out of `total`; `None` for one that is not there.
    pub(crate) fn weights(&self, context: &Context, objects: &[&Value]) -> Result<Vec<Option<u32>>, Problem> {
        let weight = |pair: &Pair| {
            self.stable(pair, context.roles(), objects)?;
            let found = self.canary(pair, context, objects)?;
            Ok(found.map(|ingress| self.weight(ingress, context.weight_total())))
        };
        self.pairs.iter().map(weight).collect()
    }

    /// The changes that let the canary Ingresses carry a split. Header routes and weights of experiments are none of nginx'.
    //= compat: 6.1-12, 6.2-7, 6.2-8, 6.2-10
    pub(crate) fn render(&self, context: &Context, objects: &[&Value], split: &Split) -> Result<Vec<Change>, Problem> {
        let mut changes = Vec::new();
        for pair in &self.pairs {
            let stable = self.stable(pair, context.roles_for(split), objects)?;
            let annotations = self.annotations(stable, split.weight);
            let spec = spec(stable, context.roles_for(split));
            let (verb, event) = match self.canary(pair, context, objects)? {
                None => {
                    let message = format!("Creating canary ingress `{}` with weight '{}'", pair.canary, split.weight);
                    let new = self.create(pair, context, annotations, spec);
                    (Verb::Create(new), Event { reason: "CreatingCanaryIngress", message })
                }
                Some(found) => {
                    let Some(patch) = self.patch(found, &annotations, &spec) else { continue };
                    let message = format!("Updating canary ingress `{}` to weight '{}'", pair.canary, split.weight);
                    (Verb::MergePatch(patch), Event { reason: "PatchingCanaryIngress", message })
                }
            };
            changes.push(Change {
                api_version: API_VERSION,
                kind: KIND,
                namespace: self.namespace.clone(),
                name: pair.canary.clone(),
                verb,
                event: Some(event),
            });
        }
        Ok(changes)
    }

    fn ingress(&self, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: API_VERSION,
            kind: KIND,
            namespace: self.namespace.clone(),
            pick: Pick::Name(name.to_owned()),
        }
    }

    /// The stable Ingress, which must lead to the stable service.
    //= compat: 6.2-2, 6.2-4, 8.5-7
    fn stable<'o>(&self, pair: &Pair, roles: Roles, objects: &[&'o Value]) -> Result<&'o Value, Problem> {
        let name = &pair.stable;
        let found = self.ingress(name).find_one(objects).ok_or_else(|| {
            Problem::missing(
                &pair.path,
                format!(
                    "ingress `{name}` is not in the namespace `{}`: create it, or name another one",
                    self.namespace
                ),
            )
        })?;
        let leads = items(&found["spec"], "rules").iter().any(|rule| leads_to(rule, roles.stable));
        match leads {
            true => Ok(found),
            false => {
                let message = format!("ingress `{name}` has no rules using service {} backend", roles.stable);
                Err(Problem::object(&pair.path, message))
            }
        }
    }

    /// The canary Ingress, which must be the Rollout's own.
    //= compat: 6.2-7
    fn canary<'o>(&self, pair: &Pair, context: &Context, objects: &[&'o Value]) -> Result<Option<&'o Value>, Problem> {
        let Some(found) = self.ingress(&pair.canary).find_one(objects) else { return Ok(None) };
        let uid = context.rollout.metadata.uid.as_deref().unwrap_or_default();
        let mut owners = items(&found["metadata"], "ownerReferences").iter();
        match owners.any(|owner| owner["controller"] == true && owner["uid"] == uid) {
            true => Ok(Some(found)),
            false => {
                let message = format!(
                    "canary ingress `{}` controlled by different object: delete it, or rename the Rollout",
                    pair.canary
                );
                Err(Problem::object(&pair.path, message))
            }
        }
    }

    /// The canary's weight out of `total`, rounded down.
    fn weight(&self, ingress: &Value, total: u32) -> u32 {
        let number = |key: &str| annotation(ingress, &format!("{}/{key}", self.prefix))?.parse::<u64>().ok();
        let is_canary = annotation(ingress, &format!("{}/canary", self.prefix)) == Some("true");
        let weight = number("canary-weight").filter(|_| is_canary).unwrap_or(0);
        let out_of = number("canary-weight-total").filter(|total| *total > 0).unwrap_or(100);
        u32::try_from(weight.min(out_of).saturating_mul(u64::from(total)) / out_of).unwrap_or(total)
    }

    /// Annotations that the canary Ingress must have.
    //= compat: 6.2-3, 6.2-6
    fn annotations(&self, stable: &Value, weight: u32) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        annotations.extend(annotation(stable, CLASS).map(|class| (CLASS.to_owned(), class.to_owned())));
        annotations.extend(self.wanted.clone());
        let mut set = |key: &str, value: String| annotations.insert(format!("{}/{key}", self.prefix), value);
        set("canary", "true".to_owned());
        set("canary-weight", weight.to_string());
        if let Some(most) = self.most {
            set("canary-weight-total", most.to_string());
        }
        annotations
    }

    //= compat: 6.2-3
    fn create(&self, pair: &Pair, context: &Context, annotations: BTreeMap<String, String>, spec: Value) -> Value {
        let rollout = &context.rollout.metadata;
        json!({
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": pair.canary,
                "namespace": self.namespace,
                "annotations": annotations,
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1",
                    "kind": "Rollout",
                    "name": rollout.name(),
                    "uid": rollout.uid,
                    "controller": true,
                    "blockOwnerDeletion": true,
                }],
            },
            "spec": spec,
        })
    }

    /// What differs. Annotations of others stay; of those that were wanted once, only the total is known to be ours.
    //= compat: 6.2-7
    //= compat-differs: 6.2-7 the total goes with maxTrafficWeight, or every weight would be out of a number that nobody wants any more
    fn patch(&self, found: &Value, annotations: &BTreeMap<String, String>, spec: &Value) -> Option<Value> {
        let mut patch = Map::new();
        let changed = annotations.iter().filter(|(key, value)| annotation(found, key) != Some(value));
        let mut changed: Map<String, Value> = changed.map(|(key, value)| (key.clone(), json!(value))).collect();
        let total = format!("{}/canary-weight-total", self.prefix);
        if !annotations.contains_key(&total) && annotation(found, &total).is_some() {
            changed.insert(total, Value::Null);
        }
        if !changed.is_empty() {
            patch.insert("metadata".to_owned(), json!({ "annotations": changed }));
        }
        let empty = Map::new();
        let (old, new) = (found["spec"].as_object().unwrap_or(&empty), spec.as_object().unwrap_or(&empty));
        let set = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
        let set = set.map(|(key, value)| (key.clone(), value.clone()));
        let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
        let fields: Map<String, Value> = set.chain(gone).collect();
        if !fields.is_empty() {
            patch.insert("spec".to_owned(), Value::Object(fields));
        }
        (!patch.is_empty()).then_some(Value::Object(patch))
    }
}

fn traffic_most(rollout: &Rollout) -> Option<u32> {
    let routing = rollout.spec.strategy.canary.as_ref()?.traffic_routing.as_ref()?;
    routing.max_traffic_weight.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0)
}

/// Both kinds of annotations that users may want, with whole keys.
//= compat: 6.2-6
fn wanted_annotations(wire: &NginxTrafficRouting, prefix: &str) -> BTreeMap<String, String> {
    let whole = |key: &String| if key.starts_with(prefix) { key.clone() } else { format!("{prefix}/{key}") };
    let prefixed = wire.additional_ingress_annotations.iter().map(|(key, value)| (whole(key), value.clone()));
    let verbatim = wire.canary_ingress_annotations.iter().map(|(key, value)| (key.clone(), value.clone()));
    prefixed.chain(verbatim).collect()
}

//= compat: 6.2-2
fn canary_name(rollout: &str, stable: &str) -> String {
    let stem = format!("{rollout}-{stable}");
    let name = format!("{stem}-canary");
    match name.chars().count() > NAME_MOST {
        true => format!("{}-canary", stem.chars().take(NAME_CUT).collect::<String>()),
        false => name,
    }
}

fn leads_to(rule: &Value, service: &str) -> bool {
    items(&rule["http"], "paths").iter().any(|path| path["backend"]["service"]["name"] == service)
}

/// The spec of the canary Ingress: the rules that lead to the stable service, now to the canary's, and what belongs to them.
//= compat: 6.2-3, 6.2-4
//= compat-differs: 6.2-5 a rule without paths leads nowhere and is left out
fn spec(stable: &Value, roles: Roles) -> Value {
    let mut spec = Map::new();
    for key in ["ingressClassName", "tls"] {
        spec.extend(stable["spec"].get(key).filter(|value| !value.is_null()).map(|v| (key.to_owned(), v.clone())));
    }
    let rules = items(&stable["spec"], "rules").iter().filter(|rule| leads_to(rule, roles.stable));
    let rules = rules.map(|rule| {
        let mut rule = rule.clone();
        for path in rule["http"]["paths"].as_array_mut().into_iter().flatten() {
            if path["backend"]["service"]["name"] == roles.stable {
                path["backend"]["service"]["name"] = json!(roles.canary);
            }
        }
        rule
    });
    spec.insert("rules".to_owned(), rules.collect());
    Value::Object(spec)
}
