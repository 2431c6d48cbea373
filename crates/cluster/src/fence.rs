//! Until when writes may be made: a leader that could not renew its lock writes nothing any more, whatever it was in the middle of.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared by a client and whoever keeps the lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fence(Arc<Mutex<Bound>>);

#[derive(Debug, Clone, Copy, Default)]
enum Bound {
    /// There is no lock: writes may always be made.
    #[default]
    None,
    Until(Instant),
    Closed,
}

impl Fence {
    /// One that lets nothing through before [`Fence::open`].
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Mutex::new(Bound::Closed)))
    }

    /// Lets writes through until a moment.
    pub(crate) fn open(&self, until: Instant) {
        self.set(Bound::Until(until));
    }

    /// Lets nothing through from now on.
    pub(crate) fn close(&self) {
        self.set(Bound::Closed);
    }

    fn set(&self, bound: Bound) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bound;
    }

    /// How long a write that begins now may take; `None` if it may not begin.
    pub(crate) fn left(&self, at_most: Duration) -> Option<Duration> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Bound::None => Some(at_most),
            Bound::Closed => None,
            Bound::Until(until) => {
                let left = until.saturating_duration_since(Instant::now());
                (!left.is_zero()).then_some(left.min(at_most))
            }
        }
    }
}
