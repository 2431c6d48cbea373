//! What all passes of a controller share: the client, what the watches told, who looks at what.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serin_controller::{Object, Write};
use serin_core::Time;

use crate::apply::Versions;
use crate::client::Client;
use crate::controller::Settings;
use crate::evidence::Evidence;
use crate::fault::Fault;
use crate::measure::sequential::Looks;
use crate::pass::run::Unsaved;
use crate::pass::{Key, LANES};
use crate::queue::Queue;
use crate::recorder::Recorder;
use crate::references::References;
use crate::resource::Resource;
use crate::store::{Name, News, Store};
use crate::trim::trimmed;

/// The wall clock, in whole milliseconds. The one place that reads it.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// One per process; passes run on one thread.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) store: RefCell<Store>,
    pub(crate) references: RefCell<References>,
    /// What is due, by lane.
    pub(crate) queues: [RefCell<Queue<Key>>; LANES],
    pub(crate) fault: Fault,
    /// Kinds that a pass misses; the loop begins to follow them.
    pub(crate) wanted: RefCell<Vec<Resource>>,
    /// Measurements that were taken and could not be written yet.
    pub(crate) unsaved: RefCell<BTreeMap<Name, Unsaved>>,
    /// Deletions of Jobs whose runs were ended, which did not succeed yet.
    pub(crate) undeleted: RefCell<BTreeMap<Name, Vec<Write>>>,
    /// Looks at sequential metrics that need not be written.
    pub(crate) looks: RefCell<BTreeMap<Name, Looks>>,
    /// Events that were sent.
    pub(crate) recorder: RefCell<Recorder>,
    /// What was last said of an object's failures, so that it is said once.
    pub(crate) told: RefCell<BTreeMap<Key, String>>,
    /// Rollouts that were found, or made, to tell of no failure.
    pub(crate) cleared: RefCell<BTreeSet<Name>>,
    /// Pods of a rollout that were last found as their role wants them.
    pub(crate) labelled: RefCell<BTreeMap<Name, String>>,
    /// Runs that statuses name and the server does not have.
    pub(crate) lost_runs: RefCell<BTreeMap<Name, Vec<String>>>,
    /// The logs of what is judged, if there are any.
    pub(crate) evidence: Option<Evidence>,
    pub(crate) tally: crate::tally::Tally,
    /// When the loop last turned; none before it begins.
    pub(crate) turned: Cell<Option<Instant>>,
    /// Kinds whose watch fails at the moment.
    pub(crate) failing: RefCell<BTreeSet<Resource>>,
}

impl Shared {
    /// The wall clock, as [`now`].
    #[expect(clippy::unused_self, reason = "passes read the clock through what they share")]
    pub(crate) fn now(&self) -> Time {
        now()
    }

    /// Keeps an object that a write or a request brought.
    pub(crate) fn keep(&self, resource: Resource, object: Object) {
        if crate::controller::FOLLOWED.contains(&resource) || self.store.borrow().is_synced(resource) {
            let object = trimmed(resource, object);
            if self.store.borrow_mut().put(resource, &object) != News::Nothing {
                self.learn(resource, &object);
            }
        }
    }

    /// Makes everything due that looks at an object.
    pub(crate) fn learn(&self, resource: Resource, object: &Object) {
        crate::affected::learn(self, resource, object);
    }

    /// Makes an object due.
    pub(crate) fn add(&self, key: Key) {
        self.queue(&key).borrow_mut().add(key);
    }

    /// Where an object is due.
    pub(crate) fn queue(&self, key: &Key) -> &RefCell<Queue<Key>> {
        &self.queues[key.lane()]
    }

    /// Whether these kinds are known; those that are not are followed from now on.
    pub(crate) fn knows(&self, kinds: impl IntoIterator<Item = Resource>) -> bool {
        let store = self.store.borrow();
        let missing: Vec<Resource> = kinds.into_iter().filter(|kind| !store.is_synced(*kind)).collect();
        let known = missing.is_empty();
        self.wanted.borrow_mut().extend(missing);
        known
    }

    /// Notes the versions of objects that a pass decides on.
    pub(crate) fn versions<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Versions {
        let mut versions = Versions::default();
        objects.into_iter().for_each(|object| versions.note(object));
        versions
    }
}
