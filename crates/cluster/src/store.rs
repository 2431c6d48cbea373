//! What the watches have told: objects by kind, namespace and name, kept as compact text and read when a pass needs them.
//! An answer to an own write is kept at once, so no pass decides on a state from before it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serin_controller::Object;
use serin_spec::wire::keys::HASH_LABEL;

use crate::resource::Resource;

/// Deleted objects that are remembered, so that a late answer to a write does not bring one back.
const GONE_MAX: usize = 4096;

/// Namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    /// Namespace, empty for objects of the cluster.
    pub(crate) namespace: String,
    /// Name.
    pub(crate) name: String,
}

impl Name {
    /// Of these parts.
    pub(crate) fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// That of an object.
    pub(crate) fn of(object: &Object) -> Self {
        Self::new(object.namespace(), object.name())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.is_empty() {
            true => write!(f, "{}", self.name),
            false => write!(f, "{}/{}", self.namespace, self.name),
        }
    }
}

/// One object.
#[derive(Debug)]
struct Kept {
    version: u64,
    uid: Box<str>,
    /// The uid of its controller; empty for an orphan.
    owner: Box<str>,
    json: Box<str>,
}

/// An object in the form in which it is kept: a tenth of what its tree takes.
#[derive(Debug)]
pub(crate) struct Compact {
    name: Name,
    kept: Kept,
    /// Whether it carries a pod-template hash.
    hashed: bool,
}

impl Compact {
    /// Of an object that is trimmed already.
    pub(crate) fn of(object: &Object) -> Self {
        let owner = object.controller().map_or("", |owner| owner.uid).into();
        let json = object.0.to_string().into();
        let kept = Kept { version: version(object), uid: object.uid().into(), owner, json };
        Self { name: Name::of(object), kept, hashed: object.label(HASH_LABEL).is_some() }
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &Name {
        &self.name
    }

    /// Its uid.
    pub(crate) fn uid(&self) -> &str {
        &self.kept.uid
    }
}

/// Objects by kind.
#[derive(Debug, Default)]
pub(crate) struct Store {
    kinds: BTreeMap<Resource, BTreeMap<Name, Kept>>,
    /// Objects by the uid of their controller, few each.
    owned: BTreeMap<Box<str>, Vec<(Resource, Name)>>,
    /// Objects without a controller that carry a pod-template hash, by namespace: somebody may take them.
    orphans: BTreeSet<(Resource, Name)>,
    /// Uids of objects that have gone, in the order in which they went; and the same, to look one up.
    gone: VecDeque<Box<str>>,
    gone_uids: BTreeSet<Box<str>>,
    synced: BTreeSet<Resource>,
}

/// What an object brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// It was not there.
    Added,
    /// It was there otherwise.
    Changed,
    /// It is known already, or newer.
    Nothing,
}

impl Store {
    /// Keeps an object, unless a newer state of it is known or it is known to be gone. It must be trimmed already.
    pub(crate) fn put(&mut self, resource: Resource, object: &Object) -> News {
        // Own writes come back by the watch: nothing is made of what is known already.
        match self.news(resource, &Name::of(object), object.uid(), version(object)) {
            News::Nothing => News::Nothing,
            news => self.insert(resource, Compact::of(object), news),
        }
    }

    /// The same for one that is compact already.
    pub(crate) fn put_compact(&mut self, resource: Resource, object: Compact) -> News {
        match self.news(resource, &object.name, &object.kept.uid, object.kept.version) {
            News::Nothing => News::Nothing,
            news => self.insert(resource, object, news),
        }
    }

    fn news(&self, resource: Resource, name: &Name, uid: &str, version: u64) -> News {
        if self.gone_uids.contains(uid) {
            return News::Nothing;
        }
        match self.kinds.get(&resource).and_then(|kind| kind.get(name)) {
            Some(former) if *former.uid == *uid && former.version >= version => News::Nothing,
            Some(_) => News::Changed,
            None => News::Added,
        }
    }

    fn insert(&mut self, resource: Resource, object: Compact, news: News) -> News {
        let Compact { name, kept, hashed } = object;
        self.forget_links(resource, &name);
        if !kept.owner.is_empty() {
            let owned = self.owned.entry(kept.owner.clone()).or_default();
            owned.push((resource, name.clone()));
        } else if hashed {
            self.orphans.insert((resource, name.clone()));
        }
        self.kinds.entry(resource).or_default().insert(name, kept);
        news
    }

    /// Forgets an object that has gone.
    pub(crate) fn remove(&mut self, resource: Resource, object: &Object) -> bool {
        if self.gone_uids.insert(object.uid().into()) {
            self.gone.push_back(object.uid().into());
        }
        if self.gone.len() > GONE_MAX
            && let Some(oldest) = self.gone.pop_front()
        {
            self.gone_uids.remove(&oldest);
        }
        let name = Name::of(object);
        let same = self.kinds.get(&resource).and_then(|kind| kind.get(&name)).is_some_and(|k| *k.uid == *object.uid());
        same && self.forget(resource, &name)
    }

    fn forget(&mut self, resource: Resource, name: &Name) -> bool {
        self.forget_links(resource, name);
        self.kinds.get_mut(&resource).is_some_and(|kind| kind.remove(name).is_some())
    }

    fn forget_links(&mut self, resource: Resource, name: &Name) {
        let Some(kept) = self.kinds.get(&resource).and_then(|kind| kind.get(name)) else { return };
        let owner = kept.owner.clone();
        let entry = (resource, name.clone());
        self.orphans.remove(&entry);
        if let Some(owned) = self.owned.get_mut(&owner) {
            owned.retain(|one| *one != entry);
            if owned.is_empty() {
                self.owned.remove(&owner);
            }
        }
    }

    /// Ends a list of which every object was kept: what was not in it has gone. Returns the objects that went, as they were last.
    pub(crate) fn end_list(&mut self, resource: Resource, listed: &BTreeMap<Name, Box<str>>, at: &str) -> Vec<Object> {
        let at = at.parse().unwrap_or(u64::MAX);
        let kind = self.kinds.entry(resource).or_default();
        // What an own write made after the list is newer than it.
        let gone = kind.iter().filter(|(name, kept)| listed.get(*name) != Some(&kept.uid) && kept.version <= at);
        let gone: Vec<Name> = gone.map(|(name, _)| name.clone()).collect();
        let objects = gone.iter().filter_map(|name| self.get(resource, name)).collect();
        gone.iter().for_each(|name| _ = self.forget(resource, name));
        self.synced.insert(resource);
        objects
    }

    /// Whether the objects of a kind are known.
    pub(crate) fn is_synced(&self, resource: Resource) -> bool {
        self.synced.contains(&resource)
    }

    /// A kind that the server does not have: it has no objects.
    pub(crate) fn absent(&mut self, resource: Resource) {
        self.synced.insert(resource);
    }

    /// One object.
    pub(crate) fn get(&self, resource: Resource, name: &Name) -> Option<Object> {
        self.kinds.get(&resource)?.get(name).map(read)
    }

    /// The objects of a kind in a namespace; all of them for the empty one.
    pub(crate) fn list(&self, resource: Resource, namespace: &str) -> Vec<Object> {
        let kind = self.kinds.get(&resource).into_iter().flatten();
        kind.filter(|(name, _)| namespace.is_empty() || name.namespace == namespace)
            .map(|(_, kept)| read(kept))
            .collect()
    }

    /// The names of a kind's objects.
    pub(crate) fn names(&self, resource: Resource) -> impl Iterator<Item = &Name> {
        self.kinds.get(&resource).into_iter().flat_map(|kind| kind.keys())
    }

    /// The objects of a kind that the object with this uid controls.
    pub(crate) fn owned(&self, resource: Resource, uid: &str) -> Vec<Object> {
        let owned = self.owned.get(uid).into_iter().flatten().filter(|(kind, _)| *kind == resource);
        owned.filter_map(|(_, name)| self.get(resource, name)).collect()
    }

    /// Those of a namespace that carry a hash and that nobody controls.
    pub(crate) fn orphans(&self, resource: Resource, namespace: &str) -> Vec<Object> {
        let orphans = self.orphans.iter().filter(|(kind, name)| *kind == resource && name.namespace == namespace);
        orphans.filter_map(|(_, name)| self.get(resource, name)).collect()
    }

    /// Whether an object is there.
    pub(crate) fn has(&self, resource: Resource, name: &Name) -> bool {
        self.kinds.get(&resource).is_some_and(|kind| kind.contains_key(name))
    }

    /// The objects of a kind as they are kept, JSON.
    pub(crate) fn texts(&self, resource: Resource) -> impl Iterator<Item = (&Name, &str)> {
        self.kinds.get(&resource).into_iter().flatten().map(|(name, kept)| (name, &*kept.json))
    }

    /// The kinds that are known, with how many objects there are and the bytes of their texts.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (Resource, usize, usize)> {
        self.synced.iter().map(|resource| {
            let all = self.kinds.get(resource).into_iter().flat_map(BTreeMap::values);
            let (count, bytes) = all.fold((0, 0), |(count, bytes), kept| (count + 1, bytes + kept.json.len()));
            (*resource, count, bytes)
        })
    }
}

fn read(kept: &Kept) -> Object {
    Object(serde_json::from_str(&kept.json).unwrap_or_default())
}

/// `metadata.resourceVersion` as the number it is on every API server.
fn version(object: &Object) -> u64 {
    object.0["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{REPLICA_SET, ROLLOUT};
    use serde_json::json;

    fn object(name: &str, uid: &str, version: u64, owner: &str) -> Object {
        let owners = match owner.is_empty() {
            true => json!([]),
            false => json!([{ "kind": "Rollout", "name": "r", "uid": owner, "controller": true }]),
        };
        Object(json!({ "metadata": {
            "name": name, "namespace": "n", "uid": uid, "resourceVersion": version.to_string(),
            "ownerReferences": owners, "labels": { "rollouts-pod-template-hash": "h" },
        }}))
    }

    #[test]
    fn an_older_state_never_replaces_a_newer_one() {
        let mut store = Store::default();
        assert_eq!(store.put(ROLLOUT, &object("a", "1", 5, "")), News::Added);
        assert_eq!(store.put(ROLLOUT, &object("a", "1", 5, "")), News::Nothing);
        assert_eq!(store.put(ROLLOUT, &object("a", "1", 4, "")), News::Nothing);
        assert_eq!(store.put(ROLLOUT, &object("a", "1", 6, "")), News::Changed);
        assert_eq!(store.put(ROLLOUT, &object("a", "2", 3, "")), News::Changed, "another object of the name");
    }

    #[test]
    fn a_late_answer_does_not_bring_a_deleted_object_back() {
        let mut store = Store::default();
        store.put(ROLLOUT, &object("a", "1", 5, ""));
        assert!(store.remove(ROLLOUT, &object("a", "1", 7, "")));
        assert_eq!(store.put(ROLLOUT, &object("a", "1", 6, "")), News::Nothing);
        assert_eq!(store.get(ROLLOUT, &Name::new("n", "a")), None);
    }

    #[test]
    fn owners_and_orphans_are_found_and_follow_changes() {
        let mut store = Store::default();
        store.put(REPLICA_SET, &object("a", "1", 1, "r-1"));
        store.put(REPLICA_SET, &object("b", "2", 2, ""));
        assert_eq!(store.owned(REPLICA_SET, "r-1").len(), 1);
        assert_eq!(store.orphans(REPLICA_SET, "n").len(), 1);
        store.put(REPLICA_SET, &object("b", "2", 3, "r-1"));
        assert_eq!(store.owned(REPLICA_SET, "r-1").len(), 2);
        assert_eq!(store.orphans(REPLICA_SET, "n").len(), 0);
        store.remove(REPLICA_SET, &object("a", "1", 4, "r-1"));
        assert_eq!(store.owned(REPLICA_SET, "r-1").len(), 1);
    }

    #[test]
    fn a_list_tells_what_has_gone_and_spares_what_was_made_after_it() {
        let mut store = Store::default();
        store.put(ROLLOUT, &object("old", "1", 5, ""));
        store.put(ROLLOUT, &object("same", "2", 6, ""));
        store.put(ROLLOUT, &object("own", "3", 20, ""));
        let listed = [object("same", "2", 6, ""), object("new", "4", 9, "")];
        let news = listed.each_ref().map(|object| store.put_compact(ROLLOUT, Compact::of(object)));
        assert_eq!(news, [News::Nothing, News::Added]);
        assert!(!store.is_synced(ROLLOUT), "the list has not ended");
        let listed = listed.iter().map(|object| (Name::of(object), object.uid().into())).collect();
        let gone = store.end_list(ROLLOUT, &listed, "10");
        assert_eq!(gone.iter().map(Object::name).collect::<Vec<_>>(), ["old"]);
        assert!(store.is_synced(ROLLOUT));
        assert_eq!(store.names(ROLLOUT).map(|n| n.name.as_str()).collect::<Vec<_>>(), ["new", "own", "same"]);
    }
}
