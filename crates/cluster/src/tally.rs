//! What the controller counts about itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serin_core::decision::Event;
use serin_spec::wire::Rollout;

use crate::error::Class;
use crate::pass::Key;

/// Upper bounds of the buckets of pass durations, seconds.
//= compat: 9.3-1
pub(crate) const PASS_BUCKETS: [f64; 5] = [0.01, 0.15, 0.25, 0.5, 1.0];

/// Upper bounds of the buckets of decision durations, seconds.
pub(crate) const DECISION_BUCKETS: [f64; 6] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];

/// A histogram as Prometheus has it.
#[derive(Debug, Clone)]
pub(crate) struct Histogram<const N: usize> {
    bounds: [f64; N],
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

/// Counters; one per process.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) decisions: RefCell<Histogram<6>>,
    pub(crate) passes: RefCell<BTreeMap<Key, Passes>>,
    pub(crate) errors: RefCell<BTreeMap<Class, u64>>,
    pub(crate) panics: RefCell<u64>,
    /// Events of rollouts by namespace, name, type and reason.
    pub(crate) events: RefCell<BTreeMap<(String, String, &'static str, String), u64>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            decisions: RefCell::new(Histogram::new(DECISION_BUCKETS)),
            passes: RefCell::default(),
            errors: RefCell::default(),
            panics: RefCell::default(),
            events: RefCell::default(),
        }
    }
}

impl Tally {
    pub(crate) fn decided(&self, took: Duration) {
        self.decisions.borrow_mut().observe(took.as_secs_f64());
    }

    pub(crate) fn passed(&self, key: &Key, took: Duration, error: Option<Class>) {
        let mut passes = self.passes.borrow_mut();
        let new = || Passes { durations: Histogram::new(PASS_BUCKETS), errors: 0 };
        let entry = passes.entry(key.clone()).or_insert_with(new);
        entry.durations.observe(took.as_secs_f64());
        if let Some(class) = error {
            entry.errors += 1;
            *self.errors.borrow_mut().entry(class).or_default() += 1;
        }
    }

    /// Events of rollouts are counted; those of other objects are not.
    //= compat: 9.4-5
    pub(crate) fn events(&self, rollout: &Rollout, events: &[Event]) {
        let mut counts = self.events.borrow_mut();
        for event in events {
            let kind = if event.warning { "Warning" } else { "Normal" };
            let metadata = &rollout.metadata;
            let key = (metadata.namespace().to_owned(), metadata.name().to_owned(), kind, event.reason.to_owned());
            *counts.entry(key).or_default() += 1;
        }
    }

    pub(crate) fn panicked(&self) {
        *self.panics.borrow_mut() += 1;
    }
}
