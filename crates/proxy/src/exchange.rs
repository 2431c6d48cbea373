//! One request: to an upstream and back, both directions at once, within its times.

mod account;
mod converse;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::framing::{Body, Fault};
use crate::intake::{LAST_CHUNK, Plan, write_chunk};
use crate::mirror;
use crate::prediction::Scanner;
use crate::refusal::Reason;
use crate::routing::Endpoint;
use crate::stats::Tally;
use crate::stream::{Input, Timer};
use crate::upstream::Upstream;
use crate::worker::Worker;
use converse::{Conversation, End, Outcome};

/// Connections tried for one request.
const ATTEMPTS_MAX: usize = 3;

/// What the connection of a client brings to an exchange.
pub(crate) struct Side<'a> {
    pub(crate) stream: &'a mut TcpStream,
    pub(crate) input: &'a mut Input,
    /// What is sent upstream: the head, and as much of the body as came with it.
    pub(crate) forward: &'a mut Vec<u8>,
    /// What is sent to the client.
    pub(crate) out: &'a mut Vec<u8>,
    /// What came from the upstream.
    pub(crate) answer: &'a mut Input,
    pub(crate) timer: &'a mut Timer,
}

/// How it goes on with the client's connection.
#[derive(Debug)]
pub(crate) enum Next {
    /// Another request may come; this one ended at the time given.
    Another(Instant),
    /// It closes.
    Close,
    /// It closes, and the client may still be sending.
    Linger,
    /// It was cut in the middle of an answer, or the client has gone.
    Cut,
    /// The upstream and the client speak another protocol now. The tally counts the request as being worked on.
    Tunnel(Upstream, Tally),
}

/// Serves a planned request.
pub(crate) async fn exchange(worker: &Rc<Worker>, plan: &mut Plan, side: &mut Side<'_>) -> Next {
    if absorb(plan, side.input, side.forward).is_err() {
        worker.shared.refusals.count(Reason::BadFraming);
        return refuse(plan, side, Reason::BadFraming).await;
    }
    if plan.decoder.is_done()
        && let Some(draft) = plan.draft.get_mut().take()
    {
        mirror::send(worker, draft, plan.begun);
    }
    let plan = &*plan;
    let service = &plan.service;
    let mut avoid = Vec::new();
    let mut fresh = false;
    let mut group = plan.group;
    let mut tally = Tally::begin(&service.groups[group].stats, worker.index, plan.begun);
    if plan.drawn {
        tally.drawn();
    }
    let mut reason = Reason::NoEndpoint;
    let mut now = plan.begun;
    for attempt in 1..=ATTEMPTS_MAX {
        let Some((found, endpoint)) = service.alive(group, &avoid, || worker.shared.ms_at(now)) else { break };
        if found != group {
            tally.fall_back();
            group = found;
            tally = Tally::begin(&service.groups[group].stats, worker.index, plan.begun);
        }
        if attempt > 1 {
            tally.retried();
        }
        let mut upstream = match connect(worker, endpoint, fresh, now, side.timer).await {
            Ok(upstream) => upstream,
            Err(()) => {
                now = Instant::now();
                endpoint.eject(worker.shared.ms_at(now) + worker.shared.config.limits.eject.as_millis() as u64);
                avoid.push(endpoint.key);
                reason = Reason::UpstreamUnreachable;
                continue;
            }
        };
        let version = plan.expose_version.then_some(&*service.groups[group].version);
        let mut conversation = Conversation::new(worker, plan, version);
        let end = conversation.run(side, &mut upstream.stream).await;
        let outcome = conversation.outcome();
        if matches!(end, End::Again) && attempt < ATTEMPTS_MAX {
            fresh = true;
            now = Instant::now();
            reason = Reason::UpstreamBroken;
            continue;
        }
        return Attempt { group, endpoint, upstream, tally, outcome }.conclude(worker, plan, side, end).await;
    }
    if reason == Reason::NoEndpoint {
        tally.fall_back();
        worker.shared.refusals.count(reason);
        return refuse(plan, side, reason).await;
    }
    fail(worker, plan, side, (group, tally), reason, plan.decoder.is_done()).await
}

/// A request that has been sent to an upstream.
struct Attempt<'a> {
    group: usize,
    endpoint: &'a Arc<Endpoint>,
    upstream: Upstream,
    tally: Tally,
    outcome: Outcome,
}

impl Attempt<'_> {
    /// Counts how it ended, and tells the client unless it has the answer.
    async fn conclude(mut self, worker: &Worker, plan: &Plan, side: &mut Side<'_>, end: End) -> Next {
        let Outcome { sent, started } = self.outcome;
        match end {
            End::Answered(answer) => {
                let (now, sent, is_tunnel) = (Instant::now(), self.outcome.sent || answer.is_tunnel, answer.is_tunnel);
                let tunnel = self.settle(worker, plan, side, &answer, now);
                match finish(worker, side, now, answer.close && !is_tunnel, sent).await {
                    Next::Another(ended) => tunnel.unwrap_or(Next::Another(ended)),
                    other => other,
                }
            }
            End::Again => fail(worker, plan, side, (self.group, self.tally), Reason::UpstreamBroken, sent).await,
            End::Failed(reason) if !started => fail(worker, plan, side, (self.group, self.tally), reason, sent).await,
            End::Failed(_) => {
                // The client has part of the answer; only an abrupt end tells it that the rest is missing.
                account::count(worker, plan, self.group, &mut self.tally, (500, None), Instant::now());
                Next::Cut
            }
            End::ClientFault(reason) => {
                worker.shared.refusals.count(reason);
                if started { Next::Cut } else { refuse(plan, side, reason).await }
            }
            End::ClientGone => Next::Cut,
        }
    }

    /// Counted before the last byte leaves: whoever has an answer finds it in the statistics. Returns the tunnel if there is one.
    fn settle(
        mut self,
        worker: &Worker,
        plan: &Plan,
        side: &mut Side<'_>,
        answer: &Answered,
        now: Instant,
    ) -> Option<Next> {
        let scanner = Some(&answer.scanner).filter(|_| plan.service.prediction.is_some() && answer.looked);
        account::count(worker, plan, self.group, &mut self.tally, (answer.status, scanner), now);
        if answer.is_tunnel {
            return Some(Next::Tunnel(self.upstream, self.tally));
        }
        drop(self.tally);
        // Bytes beyond the answer would be taken for the next one.
        if answer.upstream_keeps && self.outcome.sent && side.answer.is_empty() {
            worker.give_back(self.endpoint, self.upstream, now);
        }
        side.answer.clear();
        None
    }
}

/// Moves what has come of the body behind the head, so that most requests are sent with one write and can be sent again.
fn absorb(plan: &mut Plan, input: &mut Input, forward: &mut Vec<u8>) -> Result<(), Fault> {
    while !plan.decoder.is_done() && !input.is_empty() {
        let step = plan.decoder.step(input.rest())?;
        let data = &input.rest()[step.data];
        if plan.body == Body::Chunked {
            write_chunk(data, forward)
        } else {
            forward.extend_from_slice(data)
        }
        if let Some(draft) = plan.draft.get_mut() {
            draft.push(data);
        }
        plan.probes.get_mut().feed_request(&plan.service.slices, data);
        input.consume(step.consumed);
        if plan.body == Body::Chunked && plan.decoder.is_done() {
            forward.extend_from_slice(LAST_CHUNK);
        }
    }
    Ok(())
}

/// A connection to the endpoint: an idle one, or a new one. One that was found closed asks for a `fresh` one: where one idle
/// connection has been closed the others have too.
async fn connect(
    worker: &Worker,
    endpoint: &Arc<Endpoint>,
    fresh: bool,
    now: Instant,
    timer: &mut Timer,
) -> Result<Upstream, ()> {
    if !fresh && let Some(upstream) = worker.checkout(endpoint, now) {
        return Ok(upstream);
    }
    let by = tokio::time::Instant::from_std(now) + worker.shared.config.limits.connect;
    match timer.within(by, Upstream::connect(endpoint)).await {
        Some(Ok(upstream)) => Ok(upstream),
        Some(Err(error)) => {
            tracing::debug!(address = %endpoint.address, %error, "failed to connect to an endpoint");
            Err(())
        }
        None => Err(()),
    }
}

/// Writes the end of the answer.
async fn finish(worker: &Worker, side: &mut Side<'_>, now: Instant, close: bool, sent: bool) -> Next {
    let written = match side.stream.try_write(side.out) {
        Ok(n) if n == side.out.len() => true,
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => false,
        part => {
            let rest = &side.out[part.unwrap_or(0)..];
            let by = tokio::time::Instant::from_std(now) + worker.shared.config.limits.stall;
            matches!(side.timer.within(by, side.stream.write_all(rest)).await, Some(Ok(())))
        }
    };
    match (written, close, sent) {
        (false, ..) => Next::Cut,
        (true, _, false) => Next::Linger,
        (true, true, true) => Next::Close,
        (true, false, true) => Next::Another(now),
    }
}

/// Answers in place of the upstream, which counts as an answer of the version.
async fn fail(
    worker: &Worker,
    plan: &Plan,
    side: &mut Side<'_>,
    (group, mut tally): (usize, Tally),
    reason: Reason,
    sent: bool,
) -> Next {
    account::count(worker, plan, group, &mut tally, (reason.status(), None), Instant::now());
    drop(tally);
    answer(plan, side, reason, plan.keep_alive && sent).await
}

/// Answers without any version having a part in it.
async fn refuse(plan: &Plan, side: &mut Side<'_>, reason: Reason) -> Next {
    if let Some((_, user)) = &plan.pair {
        user.refused();
    }
    answer(plan, side, reason, plan.keep_alive && plan.decoder.is_done()).await
}

async fn answer(plan: &Plan, side: &mut Side<'_>, reason: Reason, keep_alive: bool) -> Next {
    side.out.clear();
    side.answer.clear();
    reason.write(side.out, keep_alive, plan.is_head);
    let by = tokio::time::Instant::now() + Duration::from_secs(5);
    let written = side.timer.within(by, side.stream.write_all(side.out)).await;
    match written {
        Some(Ok(())) if keep_alive => Next::Another(Instant::now()),
        Some(Ok(())) => Next::Linger,
        _ => Next::Cut,
    }
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answered {
    status: u16,
    close: bool,
    upstream_keeps: bool,
    is_tunnel: bool,
    /// Whether a prediction was looked for.
    looked: bool,
    scanner: Scanner,
}
