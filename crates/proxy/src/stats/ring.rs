//! The last predictions of a route, each with the id of its request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::prediction::Prediction;
use crate::report::{PAGE_MAX, Recorded, RecordedPrediction};

/// Longest request id that is kept, in bytes.
pub(crate) const ID_MAX: usize = 64;
/// Entries copied before workers get their turn.
const STRETCH: usize = 64;

/// A bounded list of predictions. The oldest makes room.
#[derive(Debug)]
pub(crate) struct Ring(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    entries: VecDeque<Entry>,
    capacity: usize,
    /// Number of the next entry; those before it are numbered without a gap.
    next: u64,
    dropped: u64,
    skipped: u64,
}

/// One prediction. Id and class share one allocation.
#[derive(Debug)]
struct Entry {
    text: Box<str>,
    version: Arc<str>,
    time_ms: u64,
    /// NaN where the prediction is no number.
    number: f64,
    id_len: u8,
    has_class: bool,
}

impl Ring {
    /// An empty ring whose first entry gets the number `next`. All the room is taken at once, and the system gives it page by page when it is used.
    pub(crate) fn new(capacity: usize, next: u64) -> Self {
        let entries = VecDeque::with_capacity(capacity);
        Self(Mutex::new(Inner { entries, capacity, next, dropped: 0, skipped: 0 }))
    }

    /// Keeps the newest `capacity` from now on.
    pub(crate) fn resize(&self, capacity: usize) {
        let inner = &mut *self.inner();
        if inner.capacity == capacity {
            return;
        }
        let surplus = inner.entries.len().saturating_sub(capacity);
        inner.dropped += surplus as u64;
        let mut entries = VecDeque::with_capacity(capacity);
        entries.extend(inner.entries.drain(..).skip(surplus));
        inner.entries = entries;
        inner.capacity = capacity;
    }

    /// Adds a prediction. `id` is `None` when it cannot be kept.
    pub(crate) fn push(&self, id: Option<&str>, version: &Arc<str>, prediction: &Prediction<'_>, time_ms: u64) {
        let Some(id) = id else {
            self.inner().skipped += 1;
            return;
        };
        let class = prediction.class();
        let number = match prediction {
            Prediction::Number { value, .. } => *value,
            Prediction::Class(_) => f64::NAN,
        };
        let mut text = String::with_capacity(id.len() + class.map_or(0, str::len));
        text.push_str(id);
        text.push_str(class.unwrap_or_default());
        let entry = Entry {
            text: text.into_boxed_str(),
            version: version.clone(),
            time_ms,
            number,
            id_len: id.len() as u8,
            has_class: class.is_some(),
        };
        // What makes room is freed after the lock is.
        let _oldest = {
            let inner = &mut *self.inner();
            let full = inner.entries.len() >= inner.capacity;
            let oldest = if full { inner.entries.pop_front() } else { None };
            inner.dropped += u64::from(full);
            inner.entries.push_back(entry);
            inner.next += 1;
            oldest
        };
    }

    /// The entries after a number, oldest first, at most a page.
    pub(crate) fn after(&self, seq: u64) -> Recorded {
        let mut page = Recorded::default();
        let mut last = seq;
        loop {
            let inner = self.inner();
            let oldest = inner.next - inner.entries.len() as u64;
            let from = (last.saturating_add(1).max(oldest) - oldest).min(inner.entries.len() as u64) as usize;
            let left = inner.entries.len() - from;
            let stretch = left.min(STRETCH).min(PAGE_MAX - page.entries.len());
            let numbered = inner.entries.range(from..from + stretch).zip(oldest + from as u64..);
            page.entries.extend(numbered.map(|(entry, seq)| entry.view(seq)));
            last = page.entries.last().map_or(last, |e| e.seq);
            if stretch == left || page.entries.len() == PAGE_MAX {
                page.more = stretch < left;
                (page.oldest, page.dropped, page.skipped) = (oldest, inner.dropped, inner.skipped);
                return page;
            }
        }
    }

    /// Number of the next entry.
    pub(crate) fn next(&self) -> u64 {
        self.inner().next
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn view(&self, seq: u64) -> RecordedPrediction {
        let (id, class) = self.text.split_at(usize::from(self.id_len));
        RecordedPrediction {
            seq,
            time_ms: self.time_ms,
            id: id.to_owned(),
            version: self.version.to_string(),
            class: self.has_class.then(|| class.to_owned()),
            number: Some(self.number).filter(|n| !n.is_nan()),
        }
    }
}

/// A request id that can be kept: 1 to [`ID_MAX`] visible ASCII characters.
pub(crate) fn keepable(id: &[u8]) -> Option<&str> {
    let good = !id.is_empty() && id.len() <= ID_MAX && id.iter().all(u8::is_ascii_graphic);
    if good { std::str::from_utf8(id).ok() } else { None }
}
