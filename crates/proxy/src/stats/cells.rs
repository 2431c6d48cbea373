//! What counters are made of: cells with one writer, sums of numbers, and names that are given an index.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::report::Numbers;
use crate::sketch::number;

/// A counter with one writer.
#[derive(Debug, Default)]
pub(super) struct Cell(AtomicU64);

impl Cell {
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    fn add_f64(&self, x: f64) {
        self.0.store((f64::from_bits(self.0.load(Relaxed)) + x).to_bits(), Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn get_f64(&self) -> f64 {
        f64::from_bits(self.get())
    }
}

pub(super) fn cells<const N: usize>() -> [Cell; N] {
    [(); N].map(|()| Cell::default())
}

/// Numbers of one worker. Most have none, and need no room then.
#[derive(Debug, Default)]
pub(super) struct NumberShard(OnceLock<Box<Moments>>);

#[derive(Debug)]
struct Moments {
    count: Cell,
    sum: Cell,
    sum_squares: Cell,
    bins: [Cell; number::BINS],
}

impl NumberShard {
    pub(super) fn add(&self, value: f64) {
        let empty = Cell::default;
        let moments = self
            .0
            .get_or_init(|| Box::new(Moments { count: empty(), sum: empty(), sum_squares: empty(), bins: cells() }));
        moments.sum.add_f64(value);
        moments.sum_squares.add_f64(value * value);
        moments.bins[place(number::bin(value))].add(1);
        moments.count.add(1);
    }

    /// The sum over the workers.
    pub(super) fn sum<'a>(shards: impl Iterator<Item = &'a NumberShard> + Clone) -> Numbers {
        let shards = || shards.clone().filter_map(|s| s.0.get());
        if shards().next().is_none() {
            return Numbers::default();
        }
        let bins = (-(number::SIDE as i16)..=number::SIDE as i16)
            .map(|bin| (bin, shards().map(|n| n.bins[place(bin)].get()).sum()))
            .filter(|(_, count)| *count > 0);
        Numbers {
            count: shards().map(|n| n.count.get()).sum(),
            // Not `sum()`, whose empty value is -0.0.
            sum: shards().fold(0.0, |sum, n| sum + n.sum.get_f64()),
            sum_squares: shards().fold(0.0, |sum, n| sum + n.sum_squares.get_f64()),
            bins: bins.collect(),
        }
    }
}

/// The index of a bin of numbers.
fn place(bin: i16) -> usize {
    (i32::from(bin) + number::SIDE as i32) as usize
}

/// Up to `N` names in the order of their appearance. All that come later have the index `N` in common.
#[derive(Debug)]
pub(crate) struct Names<const N: usize> {
    slots: [OnceLock<Box<str>>; N],
    naming: Mutex<()>,
}

impl<const N: usize> Default for Names<N> {
    fn default() -> Self {
        Self { slots: [(); N].map(|()| OnceLock::new()), naming: Mutex::new(()) }
    }
}

impl<const N: usize> Names<N> {
    /// The index of a name: a few comparisons, and a lock only for one that is new.
    pub(super) fn index(&self, name: &str) -> usize {
        let known = || self.slots.iter().position(|s| s.get().is_none_or(|n| **n == *name));
        let Some(i) = known() else { return N };
        if self.slots[i].get().is_some() {
            return i;
        }
        let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(i) = known() else { return N };
        self.slots[i].get_or_init(|| name.into());
        i
    }

    /// The name of an index; `None` for one that is not taken, and beyond the last.
    pub(super) fn get(&self, index: usize) -> Option<&str> {
        self.slots.get(index)?.get().map(|name| &**name)
    }
}
