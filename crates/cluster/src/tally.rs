//! What the controller counts about itself.

mod course;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serin_core::Time;
use serin_core::decision::Event;
use serin_spec::wire::Rollout;

use crate::error::Class;
use crate::pass::Key;
use crate::store::Name;

pub(crate) use course::Courses;

/// Upper bounds of the buckets of pass durations, seconds.
pub(crate) const PASS_BUCKETS: [f64; 5] = [0.01, 0.15, 0.25, 0.5, 1.0];

/// Upper bounds of the buckets of decision durations, seconds.
pub(crate) const DECISION_BUCKETS: [f64; 6] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];

/// How long counts of an object stay after it has gone, so that they are scraped once more.
//= compat: 9.3-7
const STAY: Duration = Duration::from_secs(65);

/// A histogram as Prometheus has it.
#[derive(Debug, Clone)]
pub(crate) struct Histogram<const N: usize> {
    pub(crate) bounds: [f64; N],
    /// How many were at most the bound of the same index.
    pub(crate) buckets: [u64; N],
    pub(crate) count: u64,
    pub(crate) sum: f64,
}

impl<const N: usize> Histogram<N> {
    pub(crate) const fn new(bounds: [f64; N]) -> Self {
        Self { bounds, buckets: [0; N], count: 0, sum: 0.0 }
    }

    pub(crate) fn observe(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        for (bucket, bound) in self.buckets.iter_mut().zip(self.bounds) {
            *bucket += u64::from(value <= bound);
        }
    }
}

/// Passes over one object.
#[derive(Debug, Clone)]
pub(crate) struct Passes {
    pub(crate) durations: Histogram<5>,
    pub(crate) errors: u64,
}

impl Default for Passes {
    fn default() -> Self {
        Self { durations: Histogram::new(PASS_BUCKETS), errors: 0 }
    }
}

/// Counters; one per process.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) decisions: RefCell<Histogram<6>>,
    pub(crate) passes: RefCell<BTreeMap<Key, Passes>>,
    /// The same by kind, which stays when objects go.
    pub(crate) kinds: RefCell<BTreeMap<&'static str, Histogram<5>>>,
    pub(crate) errors: RefCell<BTreeMap<Class, u64>>,
    pub(crate) panics: Cell<u64>,
    /// Events of rollouts by rollout, type and reason.
    pub(crate) events: RefCell<BTreeMap<(Name, &'static str, &'static str), u64>>,
    pub(crate) courses: RefCell<Courses>,
    /// Since when objects that something was counted of are seen to be gone.
    gone: RefCell<BTreeMap<Key, Instant>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            decisions: RefCell::new(Histogram::new(DECISION_BUCKETS)),
            passes: RefCell::default(),
            kinds: RefCell::default(),
            errors: RefCell::default(),
            panics: Cell::default(),
            events: RefCell::default(),
            courses: RefCell::default(),
            gone: RefCell::default(),
        }
    }
}

impl Tally {
    pub(crate) fn decided(&self, took: Duration) {
        self.decisions.borrow_mut().observe(took.as_secs_f64());
    }

    pub(crate) fn passed(&self, key: &Key, took: Duration, error: Option<Class>) {
        let seconds = took.as_secs_f64();
        let mut passes = self.passes.borrow_mut();
        let entry = passes.entry(key.clone()).or_default();
        entry.durations.observe(seconds);
        let new = || Histogram::new(PASS_BUCKETS);
        self.kinds.borrow_mut().entry(key.kind()).or_insert_with(new).observe(seconds);
        if let Some(class) = error {
            entry.errors += 1;
            *self.errors.borrow_mut().entry(class).or_default() += 1;
        }
    }

    /// Notes what a decision about a rollout, read with this status, tells. Events of rollouts are counted; those of other
    /// objects are not.
    //= compat: 9.4-5
    pub(crate) fn events(&self, rollout: &Rollout, events: &[Event], now: Time) {
        let name = Name::new(rollout.metadata.namespace(), rollout.metadata.name());
        let mut counts = self.events.borrow_mut();
        for event in events {
            let kind = if event.warning { "Warning" } else { "Normal" };
            *counts.entry((name.clone(), kind, event.reason)).or_default() += 1;
        }
        self.courses.borrow_mut().decided(name, rollout, events, now);
    }

    pub(crate) fn panicked(&self) {
        self.panics.set(self.panics.get() + 1);
    }

    /// Forgets what was counted of objects that have been gone for a while.
    //= compat: 9.3-7
    pub(crate) fn sweep(&self, is_there: &dyn Fn(&Key) -> bool, at: Instant) {
        let mut gone = self.gone.borrow_mut();
        let mut passes = self.passes.borrow_mut();
        let mut events = self.events.borrow_mut();
        gone.retain(|key, _| !is_there(key));
        let of_events = events.keys().map(|(name, ..)| Key::Rollout(name.clone()));
        let counted: BTreeSet<Key> = passes.keys().cloned().chain(of_events).collect();
        for key in counted.into_iter().filter(|key| !is_there(key)) {
            gone.entry(key).or_insert(at);
        }
        let over: BTreeSet<Key> =
            gone.iter().filter(|(_, since)| at.duration_since(**since) >= STAY).map(|(key, _)| key.clone()).collect();
        passes.retain(|key, _| !over.contains(key));
        events.retain(|(name, ..), _| !over.contains(&Key::Rollout(name.clone())));
        let mut courses = self.courses.borrow_mut();
        over.iter().for_each(|key| courses.forget(key.name()));
        gone.retain(|key, _| !over.contains(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= compat: 9.3-7
    #[test]
    fn counts_of_an_object_stay_for_a_while_after_it_has_gone() {
        let tally = Tally::default();
        let (kept, gone) = (Key::Rollout(Name::new("n", "kept")), Key::Run(Name::new("n", "gone")));
        tally.passed(&kept, Duration::from_millis(20), None);
        tally.passed(&gone, Duration::from_millis(200), Some(Class::Retry));
        let (there, begun) = (kept.clone(), Instant::now());
        let left = |seconds: u64| {
            tally.sweep(&|key| *key == there, begun + Duration::from_secs(seconds));
            tally.passes.borrow().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(left(0), [kept.clone(), gone.clone()]);
        assert_eq!(left(64), [kept.clone(), gone.clone()]);
        assert_eq!(left(65), std::slice::from_ref(&kept));
        assert_eq!(tally.errors.borrow()[&Class::Retry], 1, "what is counted of the process stays");
        // A late pass over it counts, and goes as well.
        tally.passed(&gone, Duration::from_millis(1), None);
        assert_eq!(left(66), [kept.clone(), gone]);
        assert_eq!(left(131), [kept]);
    }

    #[test]
    fn one_that_comes_back_keeps_its_counts() {
        let tally = Tally::default();
        let key = Key::Rollout(Name::new("n", "r"));
        tally.passed(&key, Duration::from_millis(1), None);
        let begun = Instant::now();
        tally.sweep(&|_| false, begun);
        tally.sweep(&|_| true, begun + Duration::from_secs(30));
        tally.sweep(&|_| false, begun + Duration::from_secs(70));
        assert_eq!(tally.passes.borrow().len(), 1);
    }

    #[test]
    fn a_histogram_counts_what_is_at_most_a_bound() {
        let mut histogram = Histogram::new(PASS_BUCKETS);
        [0.01, 0.2, 5.0].into_iter().for_each(|value| histogram.observe(value));
        assert_eq!((histogram.buckets, histogram.count), ([1, 1, 2, 2, 2], 3));
    }
}
