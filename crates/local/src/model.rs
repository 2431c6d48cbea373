//! What one machine knows: the objects that were applied, a workload per rollout, the runs. All of it is durable; what is
//! only seen (members, series, the router's state) is kept elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serin_core::analysis::{RunKind, RunSpec, RunStatus};
use serin_core::invalid::Problem;
use serin_core::{Hash, Metadata, Reason, Rollout, Split, Status, Time};
use serin_spec::wire;
use serin_spec::workload::{self, Held, Holder};

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// A key of these two.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    pub fn of(metadata: &wire::meta::ObjectMeta) -> Self {
        Self::new(metadata.namespace(), metadata.name())
    }

    /// What the members of a version of an experiment are kept under: a name that no object has.
    pub fn of_version(experiment: &Key, template: &str) -> Self {
        experiment.beside(&format!("{}/{template}", experiment.name))
    }

    /// The experiment and the version that members are kept under, if this is such a key.
    pub fn version(&self) -> Option<(Key, &str)> {
        let (experiment, template) = self.name.split_once('/')?;
        Some((self.beside(experiment), template))
    }

    /// Another object in the same namespace.
    pub fn beside(&self, name: &str) -> Self {
        Self::new(self.namespace.as_str(), name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (namespace, name) = text.split_once('/').ok_or_else(|| format!("\"{text}\" is no namespace/name"))?;
        Ok(Self::new(namespace, name))
    }
}

/// Everything of one rollout.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The object as it is wanted now: applied from a file, then changed by people's commands.
    pub object: wire::rollout::Rollout,
    /// The object as it was last applied from a file, as JSON. A file that did not change since is not applied again,
    /// so that a restart does not take back what `serin deploy` changed.
    pub applied: serde_json::Value,
    /// The template and selector of the object that its `workloadRef` names, as they are wanted now: taken from that object's
    /// file, then changed by people's commands. The rollout's own object never holds them.
    pub held: Option<Held>,
    /// The same as they were last taken from the file.
    pub taken: Option<Held>,
    /// Why it cannot be carried out as it is written, if so; nothing of it is changed until that is mended.
    pub problem: Option<Problem>,
    /// The object in the core's terms.
    pub rollout: Rollout,
    /// Its memory.
    pub status: Status,
    /// Its pools, oldest first.
    pub pools: Vec<PoolState>,
    /// Its services and the pool each selects.
    pub services: BTreeMap<String, Option<Hash>>,
    /// The split that the router should carry.
    pub split: Option<Split>,
    /// Why it is where it is, as last decided.
    pub reasons: Vec<Reason>,
    /// When to decide again.
    pub wake_at: Option<Time>,
}

/// A pool as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolState {
    /// Hash of its template.
    pub hash: Hash,
    /// Its revision.
    pub revision: u64,
    /// When it was created.
    pub created: Time,
    /// Wanted members.
    pub size: u32,
    /// The rollout's replicas when it was last scaled.
    pub replicas_seen: Option<u32>,
    /// When it goes to zero.
    pub scale_down_at: Option<Time>,
    /// Whether its version was the stable one of a blue-green rollout.
    pub promoted: bool,
    /// Labels and annotations that its role gave it.
    pub metadata: Metadata,
    /// Members that are to be replaced: name, and the time that they must be older than.
    pub evictions: BTreeMap<String, Time>,
    /// The template of its members.
    pub template: wire::pod::PodTemplate,
}

/// An analysis run.
#[derive(Debug, Clone)]
pub struct RunState {
    /// The rollout it belongs to; `None` for a run applied on its own and for one of an experiment.
    pub owner: Option<Key>,
    /// What it judges.
    pub kind: Option<RunKind>,
    /// The experiment that it belongs to, and which of its analyses it carries out.
    pub experiment: Option<(Key, String)>,
    /// Version under test; empty for a run on its own and for one of an experiment.
    pub hash: Hash,
    /// When it was created.
    pub created: Time,
    /// What it measures. Secrets are references here, never values.
    pub spec: wire::analysis::AnalysisRunSpec,
    /// The same in the core's terms.
    pub core: RunSpec,
    /// Its memory.
    pub status: RunStatus,
}

impl PoolState {
    /// The template of its members with what their role puts on top.
    //= compat: 1.9-1
    pub fn member_template(&self) -> wire::pod::PodTemplate {
        let mut template = self.template.clone();
        if let Value::Object(tree) = &mut template.0
            && !self.metadata.is_empty()
            && let Value::Object(metadata) = tree.entry("metadata").or_insert_with(|| json!({}))
        {
            for (field, pairs) in [("labels", &self.metadata.labels), ("annotations", &self.metadata.annotations)] {
                if let Value::Object(map) = metadata.entry(field).or_insert_with(|| json!({})) {
                    map.extend(pairs.iter().map(|(key, value)| (key.clone(), json!(value))));
                }
            }
        }
        template
    }
}

impl Workload {
    /// The pool with this hash.
    pub fn pool(&self, hash: &Hash) -> Option<&PoolState> {
        self.pools.iter().find(|p| p.hash == *hash)
    }

    /// The pool with this hash.
    pub fn pool_mut(&mut self, hash: &Hash) -> Option<&mut PoolState> {
        self.pools.iter_mut().find(|p| p.hash == *hash)
    }

    /// Whether a restart was asked for and is not done yet, so that decisions ask for the members one by one.
    pub fn restart_pending(&self) -> bool {
        self.rollout.restart_at.is_some_and(|at| self.status.restarted_at != Some(at))
    }

    /// Its name and namespace.
    pub fn key(&self) -> Key {
        Key::of(&self.object.metadata)
    }

    /// The object as it is wanted, with its status in Argo's fields.
    pub fn manifest(&self) -> wire::rollout::Rollout {
        let status = serin_spec::raise::status(&self.status, &self.whole());
        wire::rollout::Rollout { status: Some(status), ..self.object.clone() }
    }

    /// The object with its template and selector, be they its own or those of another object.
    //= compat: 1.3-3
    pub fn whole(&self) -> Cow<'_, wire::rollout::Rollout> {
        match &self.held {
            Some(held) if self.object.spec.workload_ref.is_some() => {
                let mut whole = self.object.clone();
                held.clone().put_into(&mut whole.spec);
                Cow::Owned(whole)
            }
            _ => Cow::Borrowed(&self.object),
        }
    }

    /// The template that is wanted now.
    pub fn template(&self) -> wire::pod::PodTemplate {
        self.whole().spec.template.clone().unwrap_or_default()
    }
}

/// Objects besides rollouts and runs, by kind.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// `AnalysisTemplate`.
    pub templates: BTreeMap<Key, wire::analysis::AnalysisTemplate>,
    /// `ClusterAnalysisTemplate`, by name.
    pub cluster_templates: BTreeMap<String, wire::analysis::ClusterAnalysisTemplate>,
    /// `Service`.
    pub services: BTreeMap<Key, wire::kubernetes::Service>,
    /// `Ingress`.
    pub ingresses: BTreeMap<Key, wire::kubernetes::Ingress>,
    /// `ConfigMap`.
    pub config_maps: BTreeMap<Key, wire::kubernetes::ConfigMap>,
    /// `Secret`.
    pub secrets: BTreeMap<Key, wire::kubernetes::Secret>,
    /// Objects that hold a template, by kind.
    pub holders: BTreeMap<(workload::Kind, Key), Holder>,
}

impl Objects {
    /// A value of a ConfigMap.
    pub fn config_value(&self, key: &Key, entry: &str) -> Option<String> {
        self.config_maps.get(key)?.data.get(entry).cloned()
    }

    /// Every value of a Secret that can be decoded, by name.
    pub fn secret_values(&self, key: &Key) -> Option<BTreeMap<String, String>> {
        let secret = self.secrets.get(key)?;
        let names = secret.data.keys().chain(secret.string_data.keys());
        Some(names.filter_map(|n| Some((n.clone(), self.secret_value(key, n)?))).collect())
    }

    /// A value of a Secret, decoded.
    pub fn secret_value(&self, key: &Key, entry: &str) -> Option<String> {
        let secret = self.secrets.get(key)?;
        if let Some(plain) = secret.string_data.get(entry) {
            return Some(plain.clone());
        }
        // Manifests may carry line breaks within.
        let text: String = secret.data.get(entry)?.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_decoded() {
        let secret = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "data": {"a": "c2Vj\ncmV0", "broken": "c2V"}, "stringData": {"b": "plain"},
        });
        let key = Key::new("default", "s");
        let mut objects = Objects::default();
        objects.secrets.insert(key.clone(), serde_json::from_value(secret).unwrap());
        let value = |entry: &str| objects.secret_value(&key, entry);
        assert_eq!((value("a").as_deref(), value("b").as_deref()), (Some("secret"), Some("plain")));
        assert_eq!((value("broken"), value("missing")), (None, None));
    }

    //= compat: 1.9-1
    #[test]
    fn members_have_the_labels_of_their_template_and_of_their_role() {
        let template = |tree: serde_json::Value| wire::pod::PodTemplate(tree);
        let mut pool = PoolState {
            hash: Hash::new("x"),
            revision: 1,
            created: Time::default(),
            size: 1,
            replicas_seen: None,
            scale_down_at: None,
            promoted: false,
            metadata: Metadata::default(),
            evictions: BTreeMap::new(),
            template: template(json!({ "metadata": { "labels": { "app": "web" } } })),
        };
        assert_eq!(pool.member_template(), pool.template);
        let role = BTreeMap::from([("role".to_owned(), "canary".to_owned())]);
        pool.metadata = Metadata { labels: role.clone(), annotations: role };
        let both = json!({ "metadata": { "labels": { "app": "web", "role": "canary" }, "annotations": { "role": "canary" } } });
        assert_eq!(pool.member_template(), template(both));
        pool.template = template(json!({}));
        assert_eq!(pool.member_template().labels().len(), 1);
    }

    #[test]
    fn versions_of_experiments_have_keys_that_no_object_has() {
        let experiment = Key::new("ns", "a-b");
        let key = Key::of_version(&experiment, "c");
        assert_eq!(key.version(), Some((experiment.clone(), "c")));
        assert_eq!(Key::try_from(key.to_string()).unwrap(), key);
        assert_eq!(experiment.version(), None);
    }

    #[test]
    fn keys_read_back() {
        let key = Key::new("ns", "name");
        assert_eq!(Key::try_from(key.to_string()).unwrap(), key);
        assert!(Key::try_from("name".to_owned()).is_err());
    }
}
