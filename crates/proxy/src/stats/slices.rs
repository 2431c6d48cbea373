//! Counting the requests of a version apart by a quality of theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::cells::{Cell, Names, cells};
use super::{CLASSES, CLASSES_MAX, VersionStats, named};
use crate::prediction::OTHER;
use crate::report::{NONE, SliceCounts};
use crate::sketch::latency;

/// Values of a slice that are counted by name.
const VALUES_MAX: usize = 32;
/// All values, those without a name and their absence included.
const VALUES: usize = VALUES_MAX + 2;

/// The values of a slice, the same for all versions of a route: what is beyond them at one version is so at the other.
#[derive(Debug, Default)]
pub(crate) struct Values(Names<VALUES_MAX>);

impl Values {
    /// The index of a value.
    pub(crate) fn index(&self, value: &str) -> u8 {
        let index = match value {
            "" | NONE => VALUES_MAX + 1,
            OTHER => VALUES_MAX,
            value => self.0.index(value),
        };
        index as u8
    }

    fn name(&self, index: usize) -> &str {
        match index {
            VALUES_MAX => OTHER,
            i => self.0.get(i).unwrap_or(NONE),
        }
    }
}

/// The counters of one version of one route by the values of one slice.
#[derive(Debug)]
pub(crate) struct SliceStats {
    route: String,
    version: String,
    slice: String,
    pub(crate) values: Arc<Values>,
    /// Those of the version.
    classes: Arc<Names<CLASSES_MAX>>,
    shards: Box<[Shard]>,
}

/// One worker's part. Values that never came need no room.
#[derive(Debug)]
#[repr(align(64))]
struct Shard([OnceLock<Box<ValueShard>>; VALUES]);

#[derive(Debug)]
struct ValueShard {
    answered: Cell,
    server_error: Cell,
    latency: [Cell; latency::BINS],
    predictions: [Cell; CLASSES],
}

impl SliceStats {
    pub(super) fn new(slice: &str, version: &VersionStats, values: Arc<Values>, workers: usize) -> Self {
        Self {
            route: version.route.clone(),
            version: version.version.clone(),
            slice: slice.to_owned(),
            values,
            classes: version.classes.clone(),
            shards: (0..workers).map(|_| Shard([(); VALUES].map(|()| OnceLock::new()))).collect(),
        }
    }

    /// Counts an answer of a value, see [`Values::index`], with the class that was counted for the version.
    pub(crate) fn count(&self, worker: usize, value: u8, status: u16, us: u64, class: Option<usize>) {
        let shard = self.shards[worker].0[usize::from(value)].get_or_init(|| {
            let empty = Cell::default;
            Box::new(ValueShard { answered: empty(), server_error: empty(), latency: cells(), predictions: cells() })
        });
        shard.answered.add(1);
        if status >= 500 {
            shard.server_error.add(1);
        }
        shard.latency[latency::bin(us)].add(1);
        if let Some(class) = class {
            shard.predictions[class].add(1);
        }
    }

    /// The sum over the workers of every value that came, sorted by value.
    pub(super) fn counts(&self) -> Vec<SliceCounts> {
        let mut all: Vec<_> = (0..VALUES).filter_map(|value| self.counts_of(value)).collect();
        all.sort_by(|a, b| a.value.cmp(&b.value));
        all
    }

    fn counts_of(&self, value: usize) -> Option<SliceCounts> {
        let shards = || self.shards.iter().filter_map(|s| s.0[value].get());
        shards().next()?;
        let sum = |cell: &dyn Fn(&ValueShard) -> &Cell| shards().map(|s| cell(s).get()).sum::<u64>();
        let latency = (0..latency::BINS).map(|bin| (bin as u16, sum(&|s| &s.latency[bin])));
        let predictions: BTreeMap<_, _> = named(&self.classes, |i| sum(&|s| &s.predictions[i]));
        Some(SliceCounts {
            route: self.route.clone(),
            version: self.version.clone(),
            slice: self.slice.clone(),
            value: self.values.name(value).to_owned(),
            answered: sum(&|s| &s.answered),
            server_error: sum(&|s| &s.server_error),
            latency: latency.filter(|(_, count)| *count > 0).collect(),
            predictions,
        })
    }
}
