//! Copies of requests for a version whose answers nobody gets: which requests, and what is kept of them until they can be sent.
//!
//! A copy is made of what was understood of a request, never of the bytes that came, and is sent once the whole body is there.
//! It has a task of its own, so that nothing it waits for is waited for by the user, and it is dropped rather than queued.

mod deliver;
mod pair;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::framing::{Body, RequestHead};
use crate::intake::write_framing;
use crate::routing::{Group, Service};
use crate::split::{HeaderCondition, Rotation, Share, Value};
use crate::stats::{Gap, Loss, PairStats, VersionStats};
use crate::table;

pub(crate) use deliver::send;
pub(crate) use pair::UserEnd;
use pair::{CopyEnd, pair};

/// The header that marks a copy.
pub(crate) const MARK: &str = "x-serin-mirror";

/// A mirror of the table, made ready.
#[derive(Debug)]
pub(crate) struct Mirror {
    matches: Vec<Condition>,
    share: Share,
    rotation: Arc<Rotation>,
    unsafe_methods: bool,
    pub(crate) group: Group,
    /// With each of the groups that answer users, in their order.
    pub(crate) pairs: Vec<Arc<PairStats>>,
}

#[derive(Debug)]
struct Condition {
    method: Option<Value>,
    path: Option<Value>,
    headers: Vec<HeaderCondition>,
}

impl Condition {
    fn new(matching: &table::MirrorMatch) -> Result<Self, regex::Error> {
        Ok(Self {
            method: matching.method.as_ref().map(Value::new).transpose()?,
            path: matching.path.as_ref().map(Value::new).transpose()?,
            headers: matching.headers.iter().map(HeaderCondition::new).collect::<Result<_, _>>()?,
        })
    }

    fn holds(&self, head: &RequestHead<'_, '_>) -> bool {
        let path = || head.target.split('?').next().unwrap_or_default();
        self.method.as_ref().is_none_or(|m| m.holds(head.method.as_bytes()))
            && self.path.as_ref().is_none_or(|p| p.holds(path().as_bytes()))
            && self.headers.iter().all(|h| h.holds(head.headers))
    }
}

impl Mirror {
    pub(crate) fn new(
        mirror: &table::Mirror,
        rotation: Arc<Rotation>,
        group: Group,
        pairs: Vec<Arc<PairStats>>,
    ) -> Result<Self, regex::Error> {
        Ok(Self {
            matches: mirror.matches.iter().map(Condition::new).collect::<Result<_, _>>()?,
            share: Share::of(u64::from(mirror.percent), 100),
            rotation,
            unsafe_methods: mirror.unsafe_methods,
            group,
            pairs,
        })
    }

    fn takes(&self, head: &RequestHead<'_, '_>) -> bool {
        (self.unsafe_methods || is_safe(head.method)) && self.matches.iter().any(|m| m.holds(head))
    }
}

/// Whether a request of this method asks for nothing to be changed.
pub(crate) fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// The mirror that gets a copy of a request.
fn choose(mirrors: &[Mirror], head: &RequestHead<'_, '_>) -> Option<usize> {
    let is_copy = || head.headers.iter().any(|h| h.name.eq_ignore_ascii_case(MARK));
    if mirrors.is_empty() || head.upgrade.is_some() || is_copy() {
        return None;
    }
    let index = mirrors.iter().position(|m| m.takes(head))?;
    let mirror = &mirrors[index];
    mirror.rotation.take(mirror.share).then_some(index)
}

/// The copies of one worker: bounds on how many there are, and how large.
#[derive(Debug)]
pub(crate) struct Copies {
    worker: usize,
    now: Rc<Cell<usize>>,
    max: usize,
    body_bytes_max: usize,
}

/// A place among the copies of a worker, given back when it is dropped.
#[derive(Debug)]
struct Place(Rc<Cell<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Copies {
    pub(crate) fn new(worker: usize, max: usize, body_bytes_max: usize) -> Self {
        Self { worker, now: Rc::default(), max, body_bytes_max }
    }

    /// Begins the copy of a request if a mirror wants one and there is room. `written` is the head as it goes to the user's
    /// version, up to where it says how the body is framed; `group` is that version.
    pub(crate) fn draft(
        &self,
        service: &Arc<Service>,
        group: usize,
        head: &RequestHead<'_, '_>,
        written: &[u8],
        now: Instant,
    ) -> Option<Copied> {
        let index = choose(&service.mirrors, head)?;
        let mirror = &service.mirrors[index];
        let lose = |loss| {
            mirror.group.stats.lose(loss);
            mirror.pairs[group].give_up(Gap::Lost(loss));
            None
        };
        if matches!(head.body, Body::Length(n) if n > self.body_bytes_max as u64) {
            return lose(Loss::BodyTooLarge);
        }
        if self.now.get() >= self.max {
            return lose(Loss::Busy);
        }
        let (user, end) = pair(self.worker, &mirror.pairs[group], now);
        self.now.set(self.now.get() + 1);
        let length = if let Body::Length(n) = head.body { n as usize } else { 0 };
        let mut message = Vec::with_capacity(written.len() + 64 + length);
        message.extend_from_slice(written);
        message.extend_from_slice(b"x-serin-mirror: 1\r\n");
        let is_late = head.body == Body::Chunked;
        if !is_late {
            write_framing(head.body, &mut message);
            message.extend_from_slice(b"\r\n");
        }
        let draft = Box::new(Draft {
            service: service.clone(),
            mirror: index,
            message,
            late_body: is_late.then(Vec::new),
            body_bytes_left: self.body_bytes_max,
            is_head: head.method == "HEAD",
            is_repeatable: is_safe(head.method),
            loss: Some(Loss::Incomplete),
            place: Some(Place(self.now.clone())),
            end: Some(end),
        });
        Some(Copied { draft, mirror: index, user })
    }
}

/// A request of which there will be a copy.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) draft: Box<Draft>,
    /// Which of the service's mirrors gets it.
    pub(crate) mirror: usize,
    pub(crate) user: UserEnd,
}

/// A copy whose body is still coming. Dropped before it is sent it counts as lost.
#[derive(Debug)]
pub(crate) struct Draft {
    service: Arc<Service>,
    mirror: usize,
    /// The request as it will be sent, as far as it has come.
    message: Vec<u8>,
    /// The body, where its length is known at its end only.
    late_body: Option<Vec<u8>>,
    body_bytes_left: usize,
    is_head: bool,
    is_repeatable: bool,
    /// Why it is lost if nothing more happens.
    loss: Option<Loss>,
    place: Option<Place>,
    end: Option<CopyEnd>,
}

impl Draft {
    /// Takes in the next piece of the body, freed of its framing.
    pub(crate) fn push(&mut self, data: &[u8]) {
        if self.loss == Some(Loss::BodyTooLarge) {
            return;
        }
        if data.len() > self.body_bytes_left {
            self.loss = Some(Loss::BodyTooLarge);
            (self.message, self.late_body) = (Vec::new(), None);
            return;
        }
        self.body_bytes_left -= data.len();
        self.late_body.as_mut().unwrap_or(&mut self.message).extend_from_slice(data);
    }

    fn mirror(&self) -> &Mirror {
        &self.service.mirrors[self.mirror]
    }

    fn stats(&self) -> &Arc<VersionStats> {
        &self.mirror().group.stats
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(loss) = self.loss {
            self.stats().lose(loss);
            if let Some(end) = &self.end {
                end.lost(loss);
            }
        }
    }
}

#[cfg(test)]
mod tests;
