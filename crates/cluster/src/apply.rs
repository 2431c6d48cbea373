//! Sends the writes of a pass, in order, each against the version that was read.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_controller::write::{Failure, Target, Verb};
use serin_controller::{Object, Write};

use crate::client::Client;
use crate::error::{Class, Error};
use crate::fault::Fault;
use crate::resource::Resource;

/// Versions that objects were read at, by kind, namespace and name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions(BTreeMap<(String, String, String), String>);

impl Versions {
    /// Notes the version of an object that a pass read or wrote.
    pub(crate) fn note(&mut self, object: &Object) {
        if let Some(version) = object.0["metadata"]["resourceVersion"].as_str() {
            let key = (object.kind().to_owned(), object.namespace().to_owned(), object.name().to_owned());
            self.0.insert(key, version.to_owned());
        }
    }

    /// Whether an object is as it was noted.
    fn holds(&self, object: &Object) -> bool {
        let version = object.0["metadata"]["resourceVersion"].as_str();
        version.is_some() && self.of(&Target::of(object)) == version
    }

    fn of(&self, target: &Target) -> Option<&str> {
        let key = (target.kind.clone(), target.namespace.clone(), target.name.clone());
        self.0.get(&key).map(String::as_str)
    }
}

/// What came of the writes of a pass.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Writes that changed something, events not counted.
    pub(crate) written: usize,
    /// The first failure that the other writes did not need to wait for: the pass is made again later.
    pub(crate) skipped: Option<Error>,
    /// The write that stopped the pass, with why.
    pub(crate) stopped: Option<(Write, Error)>,
}

impl Applied {
    /// What came of these and of the writes after them.
    pub(crate) fn then(self, after: Self) -> Self {
        Self { written: self.written + after.written, skipped: self.skipped.or(after.skipped), stopped: after.stopped }
    }
}

/// Sends writes one after the other; `keep` is told every object as the server then has it.
pub(crate) async fn apply(
    client: &Client,
    writes: Vec<Write>,
    versions: &mut Versions,
    fault: &Fault,
    keep: &mut dyn FnMut(Resource, Object),
) -> Applied {
    let mut applied = Applied::default();
    for write in writes {
        let event = write.target.kind == "Event";
        let answer = send(client, &write, versions, fault).await;
        match answer {
            Ok(object) => {
                // A server that drops a field that it does not know keeps the version; to decide again at once would be for ever.
                let same = object.as_ref().is_some_and(|object| versions.holds(object));
                applied.written += usize::from(!event && !same);
                if let Some(object) = object.filter(|_| !event) {
                    versions.note(&object);
                    if let Some(resource) = Resource::find(object.api_version(), object.kind()) {
                        keep(resource, object);
                    }
                }
            }
            Err(error) if write.failure == Failure::Gone && error.is_not_found() => {}
            // A disruption budget has nothing to spare: no fault of anybody, and asked again when the decision says so.
            //= compat: 1.4-5
            Err(error) if write.target.kind == "Eviction" && error.code() == 429 => {
                tracing::info!(%error, "a disruption budget keeps a pod for now");
            }
            Err(error) if event => tracing::debug!(%error, "an event was not told"),
            // Somebody else changed what was read: nothing that was decided from it may be written any more.
            Err(error) if write.failure != Failure::Stop && error.class() != Class::Conflict => {
                tracing::info!(%error, "goes on without this write");
                applied.skipped.get_or_insert(error);
            }
            Err(error) => {
                applied.stopped = Some((write, error));
                break;
            }
        }
    }
    applied
}

/// Sends one write whose answer its sender looks at.
pub(crate) async fn send_marked(client: &Client, write: &Write, fault: &Fault) -> Result<Option<Object>, Error> {
    fault.before(write);
    let answer = client.send(write).await;
    fault.after(write);
    answer
}

async fn send(client: &Client, write: &Write, versions: &Versions, fault: &Fault) -> Result<Option<Object>, Error> {
    if let Some(uid) = &write.owner {
        check_owner(client, write, uid).await?;
    }
    let write = conditioned(write, versions);
    fault.before(&write);
    let answer = client.send(&write).await;
    fault.after(&write);
    answer
}

/// A patch with the version that its object was read at, so that a change by somebody else is noticed and not overwritten.
fn conditioned(write: &Write, versions: &Versions) -> Write {
    let mut write = write.clone();
    let Some(version) = versions.of(&write.target) else { return write };
    if let Verb::MergePatch(patch) | Verb::StatusPatch(patch) | Verb::StrategicPatch(patch) = &mut write.verb
        && let Some(fields) = patch.as_object_mut()
    {
        let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
    }
    write
}

/// Reads the owner anew: it must be the same object still, and not on its way out.
async fn check_owner(client: &Client, write: &Write, uid: &str) -> Result<(), Error> {
    let refused = |message: String| Error::Api {
        verb: "patch",
        what: format!("{} {}/{}", write.target.kind, write.target.namespace, write.target.name),
        code: 409,
        reason: "Conflict".to_owned(),
        message,
    };
    let owners = match &write.verb {
        Verb::StrategicPatch(patch) => patch["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default(),
        _ => Vec::new(),
    };
    let Some(owner) = owners.iter().find(|owner| owner["uid"] == uid) else {
        return Err(refused("the write names no owner".to_owned()));
    };
    let text = |key: &str| owner[key].as_str().unwrap_or_default().to_owned();
    let resource = Resource::find(&text("apiVersion"), &text("kind"))
        .ok_or_else(|| Error::Kind { api_version: text("apiVersion"), kind: text("kind") })?;
    match client.get(resource, &write.target.namespace, &text("name")).await? {
        Some(found) if found.uid() == uid && !found.is_deleted() => Ok(()),
        _ => Err(refused(format!("{} {} is not there any more", text("kind"), text("name")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_carries_the_version_that_was_read() {
        let object = |version: &str| {
            Object(
                json!({ "kind": "Rollout", "metadata": { "name": "r", "namespace": "n", "resourceVersion": version } }),
            )
        };
        let mut versions = Versions::default();
        let target = Target::new("argoproj.io/v1alpha1", "Rollout", "n", "r");
        let write = Write::new(target, Verb::StatusPatch(json!({ "status": { "phase": "Healthy" } })));
        assert_eq!(conditioned(&write, &versions), write, "an object that was not read has no version");
        versions.note(&object("7"));
        versions.note(&object("8"));
        assert!(versions.holds(&object("8")) && !versions.holds(&object("9")));
        let Verb::StatusPatch(patch) = conditioned(&write, &versions).verb else { panic!("it is a patch still") };
        assert_eq!(patch, json!({ "status": { "phase": "Healthy" }, "metadata": { "resourceVersion": "8" } }));
    }
}
