//! Objects as the API server keeps them: versions and conflicts, generations, status subresources, selectors, the past for watches.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use serin_cluster::Resource;
use serin_cluster::resource as kinds;

use super::wire::Request;

/// The kinds that are served.
const KINDS: [Resource; 20] = [
    kinds::ROLLOUT,
    kinds::ANALYSIS_RUN,
    kinds::ANALYSIS_TEMPLATE,
    kinds::CLUSTER_ANALYSIS_TEMPLATE,
    kinds::EXPERIMENT,
    kinds::REPLICA_SET,
    kinds::DEPLOYMENT,
    kinds::POD_TEMPLATE,
    kinds::SERVICE,
    kinds::POD,
    kinds::SECRET,
    kinds::CONFIG_MAP,
    kinds::EVENT,
    kinds::INGRESS,
    kinds::HTTP_ROUTE,
    kinds::GRPC_ROUTE,
    kinds::JOB,
    kinds::LEASE,
    kinds::POD_DISRUPTION_BUDGET,
    kinds::NAMESPACE,
];

/// Those whose status is written apart from the rest.
const WITH_STATUS: [&str; 7] =
    ["rollouts", "replicasets", "deployments", "services", "pods", "ingresses", "httproutes"];

/// Where an object is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) api_version: String,
    pub(crate) plural: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn of(resource: Resource, namespace: &str, name: &str) -> Self {
        let namespace = if resource.namespaced { namespace } else { "" };
        Self {
            api_version: resource.api_version.to_owned(),
            plural: resource.plural.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    fn with_name(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }
}

/// A request as the API server understands it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) verb: &'static str,
    /// The name is empty for all objects of a kind.
    pub(super) key: Key,
    subresource: String,
    content_type: String,
    parameters: BTreeMap<String, String>,
}

/// An answer with a failure.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

fn refused(code: u16, reason: &'static str, message: impl Into<String>) -> Refused {
    Refused { code, reason, message: message.into() }
}

impl Seen {
    /// Reads the path. An error for what is no path of objects.
    pub(super) fn of(request: &Request) -> Result<Self, ()> {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let (api_version, rest) = match parts[..] {
            ["api", version, ref rest @ ..] => (version.to_owned(), rest),
            ["apis", group, version, ref rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return Err(()),
        };
        let (namespace, plural, name, subresource) = match *rest {
            ["namespaces", namespace, plural] => (namespace, plural, "", ""),
            ["namespaces", namespace, plural, name] => (namespace, plural, name, ""),
            ["namespaces", namespace, plural, name, subresource] => (namespace, plural, name, subresource),
            [plural] => ("", plural, "", ""),
            [plural, name] => ("", plural, name, ""),
            _ => return Err(()),
        };
        let key = Key { api_version, plural: plural.into(), namespace: namespace.into(), name: name.into() };
        let parameters: BTreeMap<String, String> = request
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), unescaped(value)))
            .collect();
        let watch = parameters.get("watch").is_some_and(|value| value == "true");
        let verb = match (request.method.as_str(), name.is_empty()) {
            ("GET", true) if watch => "watch",
            ("GET", true) => "list",
            ("GET", false) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", _) => "delete",
            _ => return Err(()),
        };
        let (subresource, content_type) = (subresource.to_owned(), request.content_type.clone());
        Ok(Self { verb, key, subresource, content_type, parameters })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    fn selects(&self, key: &Key, object: &Value) -> bool {
        let of_kind = key.api_version == self.key.api_version && key.plural == self.key.plural;
        let here = self.key.namespace.is_empty() || self.key.namespace == key.namespace;
        of_kind && here && matches(self.parameter("labelSelector").unwrap_or(""), object)
    }
}

/// One change.
#[derive(Debug)]
struct Change {
    version: u64,
    key: Key,
    before: Option<Value>,
    after: Value,
    deleted: bool,
}

#[derive(Debug)]
pub(super) struct Objects {
    kinds: Vec<Resource>,
    kept: BTreeMap<Key, Value>,
    version: u64,
    past: Vec<Change>,
    /// Changes up to this version are forgotten.
    compacted: u64,
    named: u64,
    uids: BTreeSet<u64>,
    /// What is left of lists that are read page by page, by the token of the next page.
    rests: BTreeMap<String, (Vec<Value>, Value)>,
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            kinds: KINDS.to_vec(),
            kept: BTreeMap::new(),
            version: 1,
            past: Vec::new(),
            compacted: 0,
            named: 0,
            uids: BTreeSet::new(),
            rests: BTreeMap::new(),
        }
    }
}

impl Objects {
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn forget_kind(&mut self, resource: Resource) {
        self.kinds.retain(|kind| *kind != resource);
    }

    pub(super) fn compact(&mut self) {
        self.compacted = self.version;
        self.past.clear();
        self.rests.clear();
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.kept.get(key)
    }

    pub(super) fn list(&self, api_version: &str, plural: &str, namespace: &str, selector: &str) -> Vec<Value> {
        let fits = |key: &Key| {
            key.api_version == api_version
                && key.plural == plural
                && (namespace.is_empty() || key.namespace == namespace)
        };
        let found = self.kept.iter().filter(|(key, object)| fits(key) && matches(selector, object));
        found.map(|(_, object)| object.clone()).collect()
    }

    /// What a watch from this version on is told, and up to which version; an error if the past is forgotten.
    pub(super) fn since(&self, seen: &Seen, version: u64) -> Result<(Vec<Value>, u64), ()> {
        if version < self.compacted {
            return Err(());
        }
        let event = |change: &Change| {
            let selected = |object: &Value| seen.selects(&change.key, object);
            let before = change.before.as_ref().is_some_and(selected);
            let after = !change.deleted && selected(&change.after);
            let kind = match (before, after) {
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
                (false, false) => return None,
            };
            Some(json!({ "type": kind, "object": change.after }))
        };
        let events = self.past.iter().filter(|change| change.version > version).filter_map(event).collect();
        Ok((events, self.version))
    }

    /// Carries out a request that is no watch.
    pub(super) fn serve(&mut self, seen: &Seen, body: &Value) -> Result<(u16, Value), Refused> {
        let key = &seen.key;
        let kind = self.kinds.iter().find(|kind| kind.api_version == key.api_version && kind.plural == key.plural);
        let Some(kind) = kind.map(|kind| kind.kind) else {
            return Err(refused(404, "NotFound", "the server could not find the requested resource"));
        };
        let missing = || refused(404, "NotFound", format!("{} \"{}\" not found", key.plural, key.name));
        match seen.verb {
            "list" => {
                let selector = seen.parameter("labelSelector").unwrap_or("");
                let (items, metadata) = match seen.parameter("continue") {
                    Some(token) => self.rests.remove(token).ok_or_else(|| {
                        refused(
                            410,
                            "Expired",
                            "The provided continue parameter is too old to display a consistent list result",
                        )
                    })?,
                    None => {
                        let items = self.list(&key.api_version, &key.plural, &key.namespace, selector);
                        (items, json!({ "resourceVersion": self.version.to_string() }))
                    }
                };
                let (items, metadata) = self.first_page(seen, items, metadata);
                Ok((
                    200,
                    json!({ "kind": format!("{kind}List"), "apiVersion": key.api_version, "metadata": metadata, "items": items }),
                ))
            }
            "get" if seen.subresource == "log" => Ok((200, json!("a line of a log"))),
            "get" => Ok((200, self.get(key).ok_or_else(missing)?.clone())),
            "create" if seen.subresource == "eviction" => {
                self.delete(key).ok_or_else(missing)?;
                Ok((201, json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" })))
            }
            "create" => self.create(key, kind, body).map(|made| (201, made)),
            "update" => {
                let current = self.get(key).ok_or_else(missing)?.clone();
                check_version(key, &current, body)?;
                Ok((200, self.change(key, &current, body.clone(), &seen.subresource)))
            }
            "patch" if seen.content_type.contains("apply") && self.get(key).is_none() => {
                self.create(&key.with_name(""), kind, body).map(|made| (201, made))
            }
            "patch" => {
                let current = self.get(key).ok_or_else(missing)?.clone();
                check_version(key, &current, body)?;
                let mut wanted = current.clone();
                match seen.content_type.contains("strategic") {
                    true => strategic(&mut wanted, body),
                    false => merge(&mut wanted, body),
                }
                Ok((200, self.change(key, &current, wanted, &seen.subresource)))
            }
            _ => Ok((200, self.delete(key).ok_or_else(missing)?)),
        }
    }

    /// As many objects as were asked for; the others are kept as they are for whoever comes with the token of their page.
    fn first_page(&mut self, seen: &Seen, mut items: Vec<Value>, mut metadata: Value) -> (Vec<Value>, Value) {
        let limit = seen.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        if items.len() > limit {
            self.named += 1;
            let (rest, token) = (items.split_off(limit), format!("page/{}=", self.named));
            self.rests.insert(token.clone(), (rest, metadata.clone()));
            metadata["continue"] = token.into();
        }
        (items, metadata)
    }

    fn create(&mut self, of: &Key, kind: &str, body: &Value) -> Result<Value, Refused> {
        let mut object = body.clone();
        let prefix = object["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
        let name = match object["metadata"]["name"].as_str() {
            Some(name) => name.to_owned(),
            None => {
                self.named += 1;
                format!("{prefix}{:05}", self.named)
            }
        };
        let key = of.with_name(&name);
        if self.kept.contains_key(&key) {
            return Err(refused(409, "AlreadyExists", format!("{} \"{name}\" already exists", key.plural)));
        }
        object["metadata"]["name"] = name.into();
        object["kind"] = kind.into();
        object["apiVersion"] = key.api_version.clone().into();
        if WITH_STATUS.contains(&key.plural.as_str())
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        Ok(self.keep(key, object))
    }

    /// Makes an object, or replaces it with its status and all.
    pub(super) fn put(&mut self, object: Value) -> Value {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        let (api_version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let resource = Resource::find(api_version, kind).unwrap();
        let key = Key::of(resource, text("namespace"), text("name"));
        self.keep(key, object)
    }

    /// A write over an object: the status and the rest are changed apart, and what changes nothing makes no version.
    fn change(&mut self, key: &Key, current: &Value, wanted: Value, subresource: &str) -> Value {
        let mut object = wanted;
        if WITH_STATUS.contains(&key.plural.as_str()) {
            let (mut from, mut into) = (object, current.clone());
            if subresource == "status" {
                into["status"] = from["status"].take();
                object = into;
            } else {
                from["status"] = into["status"].take();
                object = from;
            }
            if object["status"].is_null()
                && let Some(fields) = object.as_object_mut()
            {
                fields.remove("status");
            }
        }
        for field in ["uid", "creationTimestamp", "resourceVersion", "generation"] {
            object["metadata"][field] = current["metadata"][field].clone();
        }
        match object == *current {
            true => object,
            false => self.keep(key.clone(), object),
        }
    }

    fn keep(&mut self, key: Key, mut object: Value) -> Value {
        self.version += 1;
        let before = self.kept.get(&key).cloned();
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = self.version.to_string().into();
        match &before {
            Some(before) => {
                metadata["uid"] = before["metadata"]["uid"].clone();
                metadata["creationTimestamp"] = before["metadata"]["creationTimestamp"].clone();
                let generation = before["metadata"]["generation"].as_i64().unwrap_or(1);
                let changed = object["spec"] != before["spec"];
                object["metadata"]["generation"] = (generation + i64::from(changed)).into();
            }
            None => {
                self.uids.insert(self.version);
                metadata["uid"] = format!("uid-{:04}", self.uids.len()).into();
                metadata["generation"] = 1.into();
                if metadata["creationTimestamp"].is_null() {
                    metadata["creationTimestamp"] = "2026-01-02T03:04:05Z".into();
                }
                if !key.namespace.is_empty() {
                    metadata["namespace"] = key.namespace.clone().into();
                }
            }
        }
        self.kept.insert(key.clone(), object.clone());
        self.past.push(Change { version: self.version, key, before, after: object.clone(), deleted: false });
        object
    }

    /// Deletes an object, or marks it where finalizers hold it.
    pub(super) fn delete(&mut self, key: &Key) -> Option<Value> {
        let mut object = self.kept.get(key)?.clone();
        if object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty()) {
            object["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:06Z".into();
            return Some(self.keep(key.clone(), object));
        }
        self.version += 1;
        let before = self.kept.remove(key);
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let after = object.clone();
        self.past.push(Change { version: self.version, key: key.clone(), before, after, deleted: true });
        Some(object)
    }
}

fn check_version(key: &Key, current: &Value, body: &Value) -> Result<(), Refused> {
    match body["metadata"]["resourceVersion"].as_str() {
        Some(version) if current["metadata"]["resourceVersion"] != version => {
            let Key { plural, name, .. } = key;
            let what = format!("Operation cannot be fulfilled on {plural} \"{name}\": the object has been modified");
            Err(refused(409, "Conflict", what))
        }
        _ => Ok(()),
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in fields {
        match (value.is_null(), target.as_object_mut()) {
            (true, Some(held)) => _ = held.remove(key),
            _ => merge(&mut target[key], value),
        }
    }
}

/// As [`merge`], but owners are known by their uid. What else strategic patches know is not used by anybody here.
fn strategic(target: &mut Value, patch: &Value) {
    let mut patch = patch.clone();
    let owners = patch.pointer_mut("/metadata/ownerReferences").map(Value::take);
    if let Some(Value::Array(owners)) = owners {
        let mut all = target["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        for owner in owners {
            all.retain(|one| one["uid"] != owner["uid"]);
            let gone = owner["$patch"] == "delete";
            all.extend((!gone).then_some(owner));
        }
        patch["metadata"]["ownerReferences"] = all.into();
    }
    merge(target, &patch);
}

/// Whether an object carries what a label selector asks for.
fn matches(selector: &str, object: &Value) -> bool {
    let label = |key: &str| object["metadata"]["labels"][key].as_str();
    let mut rest = selector;
    while !rest.is_empty() {
        let end = match rest.find([',', '(']) {
            Some(open) if rest.as_bytes()[open] == b'(' => rest[open..].find(')').unwrap() + open + 1,
            Some(comma) => comma,
            None => rest.len(),
        };
        let (one, further) = rest.split_at(end);
        rest = further.trim_start_matches(',');
        let held = match (one.strip_prefix('!'), one.split_once(" in "), one.split_once('=')) {
            (Some(key), ..) => label(key).is_none(),
            (_, Some((key, set)), _) => {
                label(key).is_some_and(|value| set.trim_matches(['(', ')']).split(',').any(|one| one.trim() == value))
            }
            (.., Some((key, value))) => label(key) == Some(value.trim_start_matches('=')),
            (None, None, None) => label(one).is_some(),
        };
        if !held {
            return false;
        }
    }
    true
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let escaped = (byte == b'%').then(|| {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
        });
        bytes.push(escaped.unwrap_or(byte));
    }
    String::from_utf8(bytes).unwrap()
}
