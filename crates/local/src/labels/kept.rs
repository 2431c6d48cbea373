//! The last predictions of a rollout, by the id of their request: bounded, the oldest makes room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serin_proxy::report::RecordedPrediction;

/// Predictions that are kept for each rollout: as many as its route in the router keeps. Each takes about 250 bytes with the ids that the router
/// makes and 400 at most, so 25 to 40 MB in all (the router has about
/// 11 MB more), and only during an update whose analysis waits for labels. A quarter of an hour at a hundred requests a second.
pub(crate) const PREDICTIONS_KEPT: usize = 100_000;

/// One prediction.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The id of its request.
    pub(crate) id: Arc<str>,
    /// The version that made it.
    pub(crate) version: Arc<str>,
    class: Option<Box<str>>,
    number: Option<f64>,
    /// Whether an earlier prediction that was kept then had the same id.
    repeated: bool,
}

/// What was predicted for a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prediction<'a> {
    /// The version that did.
    pub(crate) version: &'a str,
    /// A string, `true`, `false`, or the digits of an integer.
    pub(crate) class: Option<&'a str>,
    /// A number, integers included.
    pub(crate) number: Option<f64>,
}

/// The predictions of an id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Found<'a> {
    /// The one.
    One(Prediction<'a>),
    /// More than one, so that nobody knows which of them a label is about.
    Several,
    /// None, or one that has made room.
    None,
}

/// The predictions.
#[derive(Debug)]
pub(crate) struct Predictions {
    entries: VecDeque<Kept>,
    /// Where the latest of an id is, counted from the very first.
    places: HashMap<Arc<str>, u64>,
    /// How many have made room.
    gone: u64,
    capacity: usize,
    versions: Vec<Arc<str>>,
}

impl Predictions {
    /// Room for so many.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), places: HashMap::new(), gone: 0, capacity, versions: Vec::new() }
    }

    /// Adds a prediction of the router.
    pub(crate) fn push(&mut self, recorded: RecordedPrediction) {
        let id: Arc<str> = recorded.id.into();
        let version = self.version(&recorded.version);
        let place = self.gone + self.entries.len() as u64;
        let repeated = self.places.insert(Arc::clone(&id), place).is_some();
        let class = recorded.class.map(String::into_boxed_str);
        self.entries.push_back(Kept { id, version, class, number: recorded.number, repeated });
        while self.entries.len() > self.capacity {
            self.forget_oldest();
        }
    }

    /// Versions are few, so their names are shared.
    fn version(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.versions.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let version: Arc<str> = name.into();
        self.versions.retain(|known| Arc::strong_count(known) > 1);
        self.versions.push(Arc::clone(&version));
        version
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.entries.pop_front() else { return };
        if self.places.get(&oldest.id) == Some(&self.gone) {
            self.places.remove(&oldest.id);
        }
        self.gone += 1;
    }

    /// The prediction for a request.
    pub(crate) fn find(&self, id: &str) -> Found<'_> {
        let place = self.places.get(id).and_then(|place| place.checked_sub(self.gone));
        let kept = place.and_then(|place| usize::try_from(place).ok()).and_then(|place| self.entries.get(place));
        match kept {
            None => Found::None,
            Some(kept) if kept.repeated => Found::Several,
            Some(kept) => {
                Found::One(Prediction { version: &kept.version, class: kept.class.as_deref(), number: kept.number })
            }
        }
    }

    /// All of them, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Kept> + ExactSizeIterator {
        self.entries.iter()
    }
}
