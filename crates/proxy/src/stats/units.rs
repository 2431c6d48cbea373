//! Visitors as units: which share of a visitor's requests failed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::report::Units;

/// Parts of the table, each with a lock of its own, so that workers seldom meet.
const PARTS: usize = 16;
/// Visitors that a generation of a part holds.
const GENERATION: usize = 2_048;
/// Shares are counted in units of 2^-20: sums of whole numbers are exact in any order, and so are their differences.
const ONE: u64 = 1 << 20;

/// The units of one version. At most `2 * PARTS * GENERATION` = 65,536 of them are open, in about 3 MB.
#[derive(Debug)]
pub(crate) struct UnitStats {
    silence_ms: AtomicU64,
    requests_max: AtomicU64,
    parts: [Mutex<Part>; PARTS],
}

/// Two generations: who comes again moves to the younger one. When that is full the older one is closed, so that what room
/// there is goes to those who came last, at no more than one look-up a request.
#[derive(Debug, Default)]
struct Part {
    young: HashMap<u64, Unit>,
    old: HashMap<u64, Unit>,
    closed: Closed,
}

#[derive(Debug, Clone, Copy)]
struct Unit {
    answered: u32,
    bad: u32,
    last_ms: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Closed {
    count: u64,
    bad: u64,
    bad_square: u64,
    early: u64,
}

impl Closed {
    fn add(&mut self, unit: Unit) {
        let share = u64::from(unit.bad) * ONE / u64::from(unit.answered.max(1));
        self.count += 1;
        self.bad += share;
        self.bad_square += share * share / ONE;
    }
}

impl Default for UnitStats {
    fn default() -> Self {
        Self { silence_ms: AtomicU64::new(0), requests_max: AtomicU64::new(0), parts: Default::default() }
    }
}

impl UnitStats {
    /// When units close from now on.
    pub(crate) fn limit(&self, silence_ms: u64, requests_max: u32) {
        self.silence_ms.store(silence_ms, Relaxed);
        self.requests_max.store(u64::from(requests_max), Relaxed);
    }

    /// Counts an answer for a visitor, at `now_ms` since the start of the proxy.
    pub(crate) fn count(&self, visitor: u64, is_bad: bool, now_ms: u64) {
        let requests_max = self.requests_max.load(Relaxed);
        // The low bits: the high ones chose the version, so that all its visitors have some of them in common.
        let mut part = locked(&self.parts[visitor as usize % PARTS]);
        let Part { young, old, closed } = &mut *part;
        let known = young.get(&visitor).copied().or_else(|| old.remove(&visitor));
        let mut unit = known.unwrap_or(Unit { answered: 0, bad: 0, last_ms: now_ms });
        unit = Unit { answered: unit.answered + 1, bad: unit.bad + u32::from(is_bad), last_ms: now_ms };
        if u64::from(unit.answered) >= requests_max {
            young.remove(&visitor);
            closed.add(unit);
            return;
        }
        young.insert(visitor, unit);
        if young.len() > GENERATION {
            // The newcomer is in the younger one and stays.
            let newcomer = young.remove(&visitor);
            let left = std::mem::replace(old, std::mem::take(young));
            young.extend(newcomer.map(|unit| (visitor, unit)));
            closed.early += left.len() as u64;
            left.into_values().for_each(|unit| closed.add(unit));
        }
    }

    /// Closes the units of which nothing was heard for long enough.
    pub(crate) fn close_silent(&self, now_ms: u64) {
        let silence_ms = self.silence_ms.load(Relaxed);
        self.close(|unit| now_ms.saturating_sub(unit.last_ms) >= silence_ms);
    }

    /// Closes all units.
    pub(crate) fn close_all(&self) {
        self.close(|_| true);
    }

    fn close(&self, is_over: impl Fn(&Unit) -> bool) {
        for part in &self.parts {
            let Part { young, old, closed } = &mut *locked(part);
            for generation in [young, old] {
                generation.retain(|_, unit| {
                    let over = is_over(unit);
                    if over {
                        closed.add(*unit);
                    }
                    !over
                });
            }
        }
    }

    pub(super) fn counts(&self) -> Units {
        let (mut sum, mut open) = (Closed::default(), 0);
        for part in &self.parts {
            let part = locked(part);
            sum.count += part.closed.count;
            sum.bad += part.closed.bad;
            sum.bad_square += part.closed.bad_square;
            sum.early += part.closed.early;
            open += (part.young.len() + part.old.len()) as u64;
        }
        let share = |n: u64| n as f64 / ONE as f64;
        Units {
            count: sum.count,
            bad_sum: share(sum.bad),
            bad_square_sum: share(sum.bad_square),
            early: sum.early,
            open,
        }
    }
}

fn locked(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
