//! The way of a copy: to its version and back, in a task of its own, its answer read and counted.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{CopyEnd, Draft, Place};
use crate::framing::{self, Body, Decoder};
use crate::intake::write_framing;
use crate::prediction::{Path, Scanner};
use crate::refusal::Reason;
use crate::routing::Endpoint;
use crate::stats::{Loss, Tally};
use crate::stream::Input;
use crate::upstream::Upstream;
use crate::worker::Worker;

/// Answers before the answer that are read; a version that sends more is broken.
const INTERIM_MAX: usize = 16;

/// Sends a copy whose body is complete `now`. Returns at once.
pub(crate) fn send(worker: &Rc<Worker>, draft: Box<Draft>, now: Instant) {
    if draft.loss == Some(Loss::BodyTooLarge) {
        return;
    }
    if let Some(end) = &draft.end {
        end.sent(now);
    }
    tokio::task::spawn_local(deliver(worker.clone(), draft));
}

async fn deliver(worker: Rc<Worker>, mut draft: Box<Draft>) {
    let begun = Instant::now();
    let now_ms = || worker.shared.ms_at(begun);
    let group = &draft.mirror().group;
    let Some(endpoint) = group.pick(&[], now_ms, false).or_else(|| group.pick(&[], now_ms, true)).cloned() else {
        draft.loss = Some(Loss::NoEndpoint);
        return;
    };
    let mut tally = Tally::begin(&group.stats, worker.index, begun);
    draft.loss = None;
    let copy = draft.finish();
    // A slow copy must hold nothing of the table but its own endpoint: others that leave the table are waited for.
    drop(draft);
    let converse = copy.converse(&worker, &endpoint, begun);
    let result = tokio::time::timeout(worker.shared.config.limits.mirror, converse).await;
    let now = Instant::now();
    let (status, scanner) = match result {
        Ok(Ok(answer)) => {
            if let Some(upstream) = answer.upstream {
                worker.give_back(&endpoint, upstream, now);
            }
            (answer.status, answer.scanner)
        }
        // Neither good nor bad: the user's answer may be as large.
        Ok(Err(Failure::TooLarge)) => return,
        // An endpoint that fails here is not passed over: what users get must not depend on copies.
        Ok(Err(Failure::Bad(reason))) => (reason.status(), None),
        Err(_) => (Reason::UpstreamTimeout.status(), None),
    };
    let took_us = tally.took_us(now);
    if let Some(scanner) = &scanner {
        tally.predicted(scanner.prediction().as_ref());
    }
    if let Some(end) = copy.end {
        end.answered(status, scanner, took_us);
    }
    tally.answered(status, took_us);
}

/// A copy on its way.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) message: Vec<u8>,
    is_head: bool,
    is_repeatable: bool,
    prediction: Option<Arc<Path>>,
    _place: Option<Place>,
    end: Option<CopyEnd>,
}

/// What is kept of the answer to a copy.
struct Answer {
    status: u16,
    /// The search for a prediction, if there was one.
    scanner: Option<Scanner>,
    /// The connection, if it can take another request.
    upstream: Option<Upstream>,
}

/// The head of an answer.
struct Front {
    status: u16,
    len: usize,
    decoder: Decoder,
    /// Whether the connection takes another request.
    keeps: bool,
    /// Whether the body may be searched for a prediction.
    is_readable: bool,
}

/// Why there is no answer.
enum Failure {
    Bad(Reason),
    /// There is, and it does not end.
    TooLarge,
}

/// A conversation that broke.
enum Broken {
    /// The request may be sent again.
    Again,
    /// It may not, or that would be of no use.
    ForGood,
    /// The answer is larger than what is read of one.
    TooLarge,
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Again | Broken::ForGood => Self::Bad(Reason::UpstreamBroken),
            Broken::TooLarge => Self::TooLarge,
        }
    }
}

impl Draft {
    /// The request as it is sent. The length says where it ends, whatever the framing was that it came with.
    pub(super) fn finish(&mut self) -> Copy {
        let mut message = std::mem::take(&mut self.message);
        if let Some(body) = &mut self.late_body {
            write_framing(Body::Length(body.len() as u64), &mut message);
            message.extend_from_slice(b"\r\n");
            message.append(body);
        }
        Copy {
            message,
            is_head: self.is_head,
            is_repeatable: self.is_repeatable,
            prediction: self.service.prediction.clone(),
            _place: self.place.take(),
            end: self.end.take(),
        }
    }
}

impl Copy {
    /// Gets an answer: over an idle connection if there is one, and over a new one if that had been closed.
    async fn converse(&self, worker: &Worker, endpoint: &Arc<Endpoint>, begun: Instant) -> Result<Answer, Failure> {
        if let Some(upstream) = worker.checkout(endpoint, begun) {
            match self.ask(worker, upstream).await {
                Err(Broken::Again) => {}
                result => return result.map_err(Failure::from),
            }
        }
        let unreachable = |_| Failure::Bad(Reason::UpstreamUnreachable);
        let upstream = Upstream::connect(endpoint).await.map_err(unreachable)?;
        Ok(self.ask(worker, upstream).await?)
    }

    async fn ask(&self, worker: &Worker, mut upstream: Upstream) -> Result<Answer, Broken> {
        let written = write(&mut upstream.stream, &self.message).await;
        let sent = written == self.message.len();
        let silent = if written == 0 || self.is_repeatable { Broken::Again } else { Broken::ForGood };
        let mut input = Input::default();
        let broken = || Broken::ForGood;
        // An answer may be there although not all of the request was taken.
        let mut left = worker.shared.config.limits.mirror_answer_bytes;
        match input.fill(&mut upstream.stream, &worker.scratch).await {
            Ok(n @ 1..) => left = left.saturating_sub(n),
            Ok(0) | Err(_) => return Err(silent),
        }
        let Front { status, mut decoder, keeps, is_readable, .. } =
            self.head(worker, &mut input, &mut upstream.stream).await.ok_or_else(broken)?;
        let path = self.prediction.as_deref().filter(|_| is_readable);
        let mut scanner = Scanner::new();
        loop {
            scan(&mut decoder, &mut input, path, &mut scanner).ok_or_else(broken)?;
            if decoder.is_done() {
                break;
            }
            match input.fill(&mut upstream.stream, &worker.scratch).await {
                Ok(n @ 1..) if n <= left => left -= n,
                Ok(1..) => return Err(Broken::TooLarge),
                Ok(0) if decoder.may_close() => break,
                Ok(0) | Err(_) => return Err(broken()),
            }
        }
        // Bytes beyond the answer would be taken for the next one.
        let reusable = keeps && sent && input.is_empty();
        Ok(Answer { status, scanner: path.map(|_| scanner), upstream: reusable.then_some(upstream) })
    }

    /// Reads up to the end of the head. `None` when it is no answer.
    async fn head(&self, worker: &Worker, input: &mut Input, stream: &mut TcpStream) -> Option<Front> {
        let head_bytes = worker.shared.config.limits.head_bytes;
        let mut interim = 0;
        loop {
            match self.front(input.rest(), head_bytes)? {
                Some(front) if framing::is_interim(front.status) && interim < INTERIM_MAX => {
                    interim += 1;
                    input.consume(front.len);
                }
                Some(front) if framing::is_interim(front.status) => return None,
                Some(front) => {
                    input.consume(front.len);
                    return Some(front);
                }
                None => match input.fill(stream, &worker.scratch).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return None,
                },
            }
        }
    }

    /// The head at the front of what came, if it is complete. No part of the task: the room for its headers is large, and a task
    /// is moved when it begins.
    fn front(&self, rest: &[u8], head_bytes: usize) -> Option<Option<Front>> {
        let mut headers = framing::empty_headers();
        match framing::read_response(rest, &mut headers, self.is_head).ok()? {
            Some(head) if head.len > head_bytes || head.status == 101 => None,
            Some(head) => Some(Some(Front {
                status: head.status,
                len: head.len,
                decoder: Decoder::new(head.body),
                keeps: head.keep_alive,
                is_readable: !head.is_encoded && (200..300).contains(&head.status) && head.body != Body::Empty,
            })),
            None if rest.len() > head_bytes => None,
            None => Some(None),
        }
    }
}

/// Reads what there is of a body; `None` when its framing is broken.
fn scan(decoder: &mut Decoder, input: &mut Input, path: Option<&Path>, scanner: &mut Scanner) -> Option<()> {
    while !decoder.is_done() && !input.is_empty() {
        let step = decoder.step(input.rest()).ok()?;
        if let Some(path) = path {
            scanner.feed(path, &input.rest()[step.data]);
        }
        input.consume(step.consumed);
    }
    Some(())
}

/// How many bytes the connection took.
async fn write(stream: &mut TcpStream, message: &[u8]) -> usize {
    let mut written = 0;
    while written < message.len() {
        match stream.write(&message[written..]).await {
            Ok(n @ 1..) => written += n,
            Ok(0) | Err(_) => break,
        }
    }
    written
}
