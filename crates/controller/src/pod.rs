//! Pod templates: with the fields that a server fills in, with what a rollout adds, and compared by what they mean.

pub mod affinity;
mod defaults;

use serin_spec::hash::{Types, pod_template_json};
use serin_spec::wire::PodTemplate;
use serin_spec::wire::keys::HASH_LABEL;
use serin_spec::wire::meta::PodMetadata;

use crate::object::{at, fields};

pub use defaults::with_defaults;

/// The template with the label that tells its pods from those of other versions.
//= compat: 2.3-7
pub fn with_hash(template: &PodTemplate, hash: &str) -> PodTemplate {
    let mut template = template.clone();
    *at(&mut template.0, &["metadata", "labels", HASH_LABEL]) = hash.into();
    template
}

/// Whether a ReplicaSet's template means the same as a rollout's: without the hash, without what was added for a role or to
/// keep versions apart, with everything filled in that a server fills in, and however it is written.
//= compat: 2.3-5, 1.8-4
pub fn is_same(live: &PodTemplate, ephemeral: &PodMetadata, desired: &PodTemplate) -> bool {
    let mut live = live.clone();
    for (kind, keys) in [("labels", &ephemeral.labels), ("annotations", &ephemeral.annotations)] {
        let held = fields(at(&mut live.0, &["metadata", kind]));
        keys.keys().for_each(|key| _ = held.remove(key));
    }
    affinity::remove(&mut live);
    meaning(live) == meaning(desired.clone())
}

/// The template as a server would store it, in Go's own spelling.
fn meaning(mut template: PodTemplate) -> String {
    fields(at(&mut template.0, &["metadata", "labels"])).remove(HASH_LABEL);
    let spec = fields(at(&mut template.0, &["spec"]));
    // An old name of serviceAccountName, which the server fills in beside it.
    spec.remove("serviceAccount");
    pod_template_json(&with_defaults(&template), Types::Current)
}
