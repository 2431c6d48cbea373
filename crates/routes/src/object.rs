//! Objects of a cluster as JSON: which ones are needed, and their parts.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_spec::wire::meta::LabelSelector;

/// Objects that must be read and watched.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectRef {
    /// Group and version.
    pub api_version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: String,
    /// Which of them.
    pub pick: Pick,
}

/// Which objects of a kind and namespace.
#[derive(Debug, Clone, PartialEq)]
pub enum Pick {
    /// The one of this name.
    Name(String),
    /// All that carry these labels.
    Labels(LabelSelector),
}

impl ObjectRef {
    /// Whether this is one of the objects. The version within the group does not matter.
    pub fn matches(&self, object: &Value) -> bool {
        let group = |text: &str| text.rsplit_once('/').map_or_else(String::new, |(group, _)| group.to_owned());
        object["kind"] == self.kind
            && group(object["apiVersion"].as_str().unwrap_or_default()) == group(self.api_version)
            && object["metadata"]["namespace"] == self.namespace.as_str()
            && match &self.pick {
                Pick::Name(wanted) => name(object) == wanted,
                Pick::Labels(selector) => selector.matches(&labels(object)),
            }
    }

    /// The objects among these.
    pub(crate) fn find<'o>(&self, objects: &[&'o Value]) -> Vec<&'o Value> {
        objects.iter().copied().filter(|object| self.matches(object)).collect()
    }

    /// The object of this name among these.
    pub(crate) fn find_one<'o>(&self, objects: &[&'o Value]) -> Option<&'o Value> {
        objects.iter().copied().find(|object| self.matches(object))
    }
}

/// Its name, empty if it has none.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// One annotation.
pub(crate) fn annotation<'o>(object: &'o Value, key: &str) -> Option<&'o str> {
    object["metadata"]["annotations"][key].as_str()
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The items of a list, none where there is no list.
pub(crate) fn items<'o>(object: &'o Value, key: &str) -> &'o [Value] {
    object[key].as_array().map_or(&[], Vec::as_slice)
}
