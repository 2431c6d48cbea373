//! Reading with bounds: the buffer of a connection, and the one timer it needs.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Bytes read at once. A read that does not fill it tells that the kernel has no more for now, which saves asking.
const READ_BYTES: usize = 32 * 1024;
/// Buffers that grew beyond this are given back when a connection falls idle.
const KEPT_BYTES: usize = 16 * 1024;

/// Where a worker reads into. One for all of its connections, so that a connection that waits holds no room for what it waits for.
#[derive(Debug)]
pub(crate) struct Scratch(RefCell<Box<[u8]>>);

impl Default for Scratch {
    fn default() -> Self {
        Self(RefCell::new(vec![0; READ_BYTES].into_boxed_slice()))
    }
}

/// Bytes that came and are not dealt with yet.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    start: usize,
}

impl Input {
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.start += n;
        debug_assert!(self.start <= self.bytes.len(), "consumed what never came");
        if self.is_empty() {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Gives back what a large message needed.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
            self.start = 0;
        }
    }

    /// Waits for more bytes and returns how many came; 0 when the other side has closed.
    pub(crate) async fn fill<R: AsyncRead + Unpin>(&mut self, from: &mut R, scratch: &Scratch) -> io::Result<usize> {
        poll_fn(|cx| {
            let mut scratch = scratch.0.borrow_mut();
            let mut read = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut read))?;
            if self.start > 0 {
                self.bytes.drain(..self.start);
                self.start = 0;
            }
            self.bytes.extend_from_slice(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        })
        .await
    }
}

/// Gives back what a large message needed.
pub(crate) fn shrink(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT_BYTES {
        *buffer = Vec::new();
    }
}

/// A timer that is set often and rarely goes off. Setting it later is free: the runtime's timer stays where it is, and only when
/// it fires is it moved to where it should be by then.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Whether it will wake the task, so that it need not be asked again before it does. It stays with one task for life.
    armed: bool,
}

impl Timer {
    pub(crate) fn new(at: Instant) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(at)), armed: false }
    }

    /// Ready when `at` has passed.
    pub(crate) fn poll_past(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        if at < self.sleep.deadline() {
            self.set(at);
        }
        loop {
            if self.armed && !self.sleep.is_elapsed() {
                return Poll::Pending;
            }
            // Of a task that has had its share of a turn the runtime takes no notice, and lets it be polled again.
            let heard = tokio::task::coop::has_budget_remaining();
            if self.sleep.as_mut().poll(cx).is_pending() {
                self.armed = heard;
                return Poll::Pending;
            }
            if self.sleep.deadline() >= at {
                return Poll::Ready(());
            }
            self.set(at);
        }
    }

    fn set(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
        self.armed = false;
    }

    /// What `future` gives, or `None` when `at` passes before.
    pub(crate) async fn within<F: Future>(&mut self, at: Instant, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_past(cx, at).map(|()| None),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_goes_off_when_it_was_last_set_to() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut timer = Timer::new(at(10_000));
        for ms in [50, 400, 300, 20_000, 20_001] {
            let wanted = at(ms).max(Instant::now());
            assert_eq!(timer.within(wanted, std::future::pending::<()>()).await, None);
            assert!(Instant::now() - wanted < Duration::from_millis(2), "{ms}");
        }
        assert_eq!(timer.within(begin, async { 7 }).await, Some(7), "what is ready comes before the time");
    }

    #[tokio::test]
    async fn input_keeps_its_place_over_fills() {
        let (scratch, mut input) = (Scratch::default(), Input::default());
        let mut from: &[u8] = b"hello";
        assert_eq!(input.fill(&mut from, &scratch).await.unwrap(), 5);
        input.consume(3);
        let mut from: &[u8] = b" there";
        input.fill(&mut from, &scratch).await.unwrap();
        assert_eq!((input.rest(), input.len()), (&b"lo there"[..], 8));
        input.consume(8);
        assert!(input.is_empty());
        assert_eq!(input.fill(&mut from, &scratch).await.unwrap(), 0);
    }
}
