//! A request that was copied, seen from both ends: the user's answer and the copy's meet here and are counted together.
//!
//! Both ends are tasks of one worker, so that neither waits for the other: whoever is second counts. An end that goes away
//! without an answer gives the pair up.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::prediction::Scanner;
use crate::stats::{Gap, Half, Loss, PairStats, micros};

#[derive(Debug)]
struct Pair {
    worker: usize,
    /// When the copy was sent.
    sent: Cell<Instant>,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    /// Those of the version that should answer the user, and then of the one that did.
    stats: Arc<PairStats>,
    user: Option<Kept>,
    copy: Option<Kept>,
    closed: bool,
}

/// What is kept of an answer until the other one is there.
#[derive(Debug)]
struct Kept {
    status: u16,
    us: u64,
    /// The search for a prediction, if there was one.
    scanner: Option<Scanner>,
}

impl Kept {
    fn half(&self) -> Half<'_> {
        Half {
            status: self.status,
            us: self.us,
            looked: self.scanner.is_some(),
            prediction: self.scanner.as_ref().and_then(Scanner::prediction),
        }
    }
}

impl Pair {
    fn count_if_complete(&self) {
        let state = &mut *self.state.borrow_mut();
        if let (false, Some(user), Some(copy)) = (state.closed, &state.user, &state.copy) {
            state.closed = true;
            state.stats.count(self.worker, &user.half(), &copy.half());
        }
    }

    fn give_up(&self, gap: Gap) {
        let state = &mut *self.state.borrow_mut();
        if !state.closed {
            state.closed = true;
            state.stats.give_up(gap);
        }
    }
}

/// Both ends of a new pair of the worker.
pub(super) fn pair(worker: usize, stats: &Arc<PairStats>, now: Instant) -> (UserEnd, CopyEnd) {
    let state = State { stats: stats.clone(), user: None, copy: None, closed: false };
    let pair = Rc::new(Pair { worker, sent: Cell::new(now), state: RefCell::new(state) });
    (UserEnd(pair.clone()), CopyEnd(pair))
}

/// The end of the request that a user waits for.
#[derive(Debug)]
pub(crate) struct UserEnd(Rc<Pair>);

impl UserEnd {
    /// The user has an answer, from the version that `stats` are about.
    pub(crate) fn answered(&self, stats: &Arc<PairStats>, status: u16, scanner: Option<&Scanner>, now: Instant) {
        {
            let state = &mut *self.0.state.borrow_mut();
            if !Arc::ptr_eq(&state.stats, stats) {
                state.stats = stats.clone();
            }
            state.user = Some(Kept { status, us: micros(self.0.sent.get(), now), scanner: scanner.cloned() });
        }
        self.0.count_if_complete();
    }

    /// The request was refused.
    pub(crate) fn refused(&self) {
        self.0.give_up(Gap::UserRefused);
    }
}

impl Drop for UserEnd {
    fn drop(&mut self) {
        if self.0.state.borrow().user.is_none() {
            self.0.give_up(Gap::UserLeft);
        }
    }
}

/// The end of the copy.
#[derive(Debug)]
pub(super) struct CopyEnd(Rc<Pair>);

impl CopyEnd {
    /// The copy is sent now.
    pub(super) fn sent(&self, now: Instant) {
        self.0.sent.set(now);
    }

    /// The copy is answered, or has failed.
    pub(super) fn answered(&self, status: u16, scanner: Option<Scanner>, took_us: u64) {
        self.0.state.borrow_mut().copy = Some(Kept { status, us: took_us, scanner });
        self.0.count_if_complete();
    }

    /// The copy is not sent.
    pub(super) fn lost(&self, loss: Loss) {
        self.0.give_up(Gap::Lost(loss));
    }
}

impl Drop for CopyEnd {
    fn drop(&mut self) {
        if self.0.state.borrow().copy.is_none() {
            self.0.give_up(Gap::CopyCut);
        }
    }
}
