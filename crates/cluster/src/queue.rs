//! Which object is looked at next. One is never looked at twice at the same time; what happens meanwhile makes it due again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serin_core::{Span, Time};

/// First wait after a failure; it doubles with every further one.
//= compat: 9.6-1
const BACK_OFF_MIN: Span = Span::from_millis(5);

/// Longest wait after failures.
//= compat: 9.6-1
const BACK_OFF_MAX: Span = Span::from_secs(10);

/// What can be looked at, told apart by kind.
pub(crate) trait Kind {
    /// Its kind.
    fn kind(&self) -> &'static str;
}

/// What is counted by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// How often something became due.
    pub(crate) added: u64,
    /// How often it was tried again after a failure.
    pub(crate) retried: u64,
}

/// A work queue. Times are of the caller's clock.
#[derive(Debug)]
pub(crate) struct Queue<K> {
    ready: VecDeque<K>,
    waiting: BTreeSet<K>,
    running: BTreeSet<K>,
    again: BTreeSet<K>,
    timers: BTreeMap<K, Time>,
    due: BTreeSet<(Time, K)>,
    failures: BTreeMap<K, u32>,
    counts: BTreeMap<&'static str, Counts>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
            running: BTreeSet::new(),
            again: BTreeSet::new(),
            timers: BTreeMap::new(),
            due: BTreeSet::new(),
            failures: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone + Kind> Queue<K> {
    /// Makes an object due now.
    //= compat: 9.6-2
    pub(crate) fn add(&mut self, key: K) {
        self.counts.entry(key.kind()).or_default().added += 1;
        if self.running.contains(&key) {
            self.again.insert(key);
        } else if self.waiting.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    /// Makes an object due at a time, unless it is due earlier.
    pub(crate) fn add_at(&mut self, key: K, at: Time) {
        match self.timers.get(&key) {
            Some(set) if *set <= at => {}
            set => {
                if let Some(set) = set {
                    self.due.remove(&(*set, key.clone()));
                }
                self.timers.insert(key.clone(), at);
                self.due.insert((at, key));
            }
        }
    }

    /// The next object that is due. It is running until [`Queue::done`].
    pub(crate) fn take(&mut self, now: Time) -> Option<K> {
        while let Some((_, key)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.forget_timer(&key);
            self.add(key);
        }
        let key = self.ready.pop_front()?;
        self.waiting.remove(&key);
        self.running.insert(key.clone());
        // A look now replaces one that was planned; it plans its own.
        self.forget_timer(&key);
        Some(key)
    }

    fn forget_timer(&mut self, key: &K) {
        if let Some(at) = self.timers.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    /// An object was looked at; `wake_at` is when it wants to be looked at again by itself.
    //= compat: 9.6-1
    pub(crate) fn done(&mut self, key: &K, wake_at: Option<Time>) {
        self.failures.remove(key);
        self.end(key);
        if let Some(at) = wake_at {
            self.add_at(key.clone(), at);
        }
    }

    /// Looking at an object failed. It is tried again after a while, or at once if something happened to it meanwhile and it is
    /// the first failure. Returns the wait.
    //= compat: 9.6-1
    pub(crate) fn failed(&mut self, key: &K, now: Time) -> Span {
        let failures = self.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        self.counts.entry(key.kind()).or_default().retried += 1;
        let wait = back_off(*failures);
        let again = *failures == 1;
        self.running.remove(key);
        let happened = self.again.remove(key);
        match happened && again {
            true => self.add(key.clone()),
            false => self.add_at(key.clone(), now + wait),
        }
        wait
    }

    /// How often in a row looking at it failed.
    pub(crate) fn failures(&self, key: &K) -> u32 {
        self.failures.get(key).copied().unwrap_or(0)
    }

    fn end(&mut self, key: &K) {
        self.running.remove(key);
        if self.again.remove(key) {
            self.add(key.clone());
        }
    }

    /// When the next planned object is due; `None` if none is planned.
    pub(crate) fn next_at(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Objects of a kind that are due and not being looked at.
    pub(crate) fn waiting(&self, kind: &str) -> usize {
        self.ready.iter().filter(|key| key.kind() == kind).count()
    }

    /// Objects of a kind that are being looked at.
    pub(crate) fn running(&self, kind: &str) -> usize {
        self.running.iter().filter(|key| key.kind() == kind).count()
    }

    /// What was counted of a kind.
    pub(crate) fn counts(&self, kind: &str) -> Counts {
        self.counts.get(kind).copied().unwrap_or_default()
    }
}

//= compat: 9.6-1
fn back_off(failures: u32) -> Span {
    let doubled = BACK_OFF_MIN.as_millis().saturating_mul(1 << (failures - 1).min(30));
    Span::from_millis(doubled).min(BACK_OFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Time = Time::from_secs(100);

    impl Kind for &str {
        fn kind(&self) -> &'static str {
            "letter"
        }
    }

    #[test]
    fn one_is_never_taken_twice_at_the_same_time() {
        let mut queue = Queue::default();
        queue.add("a");
        queue.add("a");
        assert_eq!(queue.take(T), Some("a"));
        queue.add("a");
        assert_eq!(queue.take(T), None);
        queue.done(&"a", None);
        assert_eq!(queue.take(T), Some("a"), "what happened meanwhile makes it due again");
        queue.done(&"a", None);
        assert_eq!(queue.take(T), None);
    }

    #[test]
    fn a_plan_comes_due_and_the_earliest_one_counts() {
        let mut queue = Queue::default();
        queue.add_at("a", T + Span::from_secs(5));
        queue.add_at("a", T + Span::from_secs(9));
        queue.add_at("a", T + Span::from_secs(3));
        assert_eq!(queue.next_at(), Some(T + Span::from_secs(3)));
        assert_eq!(queue.take(T), None);
        assert_eq!(queue.take(T + Span::from_secs(3)), Some("a"));
        queue.done(&"a", None);
        assert_eq!(queue.take(T + Span::from_secs(60)), None);
    }

    #[test]
    fn a_look_replaces_what_was_planned() {
        let mut queue = Queue::default();
        queue.add_at("a", T + Span::from_secs(5));
        queue.add("a");
        assert_eq!(queue.take(T), Some("a"));
        queue.done(&"a", Some(T + Span::from_secs(7)));
        assert_eq!(queue.next_at(), Some(T + Span::from_secs(7)));
    }

    //= compat: 9.6-1, 9.6-2
    #[test]
    fn failures_wait_longer_each_time_and_a_success_forgets_them() {
        let mut queue = Queue::default();
        queue.add("a");
        queue.take(T);
        assert_eq!(queue.failed(&"a", T), Span::from_millis(5));
        let mut at = T + Span::from_millis(5);
        for wait_ms in [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_000, 10_000] {
            assert_eq!(queue.take(at), Some("a"));
            assert_eq!(queue.failed(&"a", at), Span::from_millis(wait_ms));
            at = at + Span::from_millis(wait_ms);
        }
        queue.take(at);
        queue.done(&"a", None);
        queue.add("a");
        queue.take(at);
        assert_eq!(queue.failed(&"a", at), Span::from_millis(5));
    }

    #[test]
    fn events_do_not_hurry_an_object_that_keeps_failing() {
        let mut queue = Queue::default();
        queue.add("a");
        for n in 0..3 {
            let at = T + Span::from_secs(n * 60);
            assert_eq!(queue.take(at), Some("a"));
            queue.add("a");
            queue.failed(&"a", at);
            if n > 0 {
                assert_eq!(queue.take(at), None);
            }
        }
    }
}
