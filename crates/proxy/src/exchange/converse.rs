//! Both directions of a request at once: the body towards the upstream, the answer towards the client.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use socket2::SockRef;
use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::Instant;

use super::{Answered, Side};
use crate::answer::{self, Answer, Front};
use crate::framing::Body;
use crate::intake::{LAST_CHUNK, Plan, write_chunk, write_chunk_size};
use crate::mirror;
use crate::prediction::Scanner;
use crate::refusal::Reason;
use crate::stream::Input;
use crate::worker::Worker;

/// Answers before the answer that are read; an upstream that sends more is broken.
const INTERIM_MAX: usize = 16;
/// From this size on data goes out from where it was read, without being gathered first.
const DIRECT_BYTES: usize = 8 * 1024;

/// How it ended.
#[derive(Debug)]
pub(crate) enum End {
    Answered(Answered),
    /// Nothing of it can have been executed, or executing it twice does no harm, and nothing was answered.
    Again,
    /// The upstream is at fault.
    Failed(Reason),
    /// What the client sent is at fault.
    ClientFault(Reason),
    ClientGone,
}

/// How far it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// The whole request is with the upstream.
    pub(crate) sent: bool,
    /// The client has part of the answer.
    pub(crate) started: bool,
}

/// Whom a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Client,
    Upstream,
}

/// A request and its answer under way. The two directions tell each other how far they are by its cells.
pub(crate) struct Conversation<'a> {
    worker: &'a Rc<Worker>,
    plan: &'a Plan,
    version: Option<&'a str>,
    /// Bytes that the kernel took towards the upstream.
    written: Cell<u64>,
    sent: Cell<bool>,
    /// The upstream takes no more of the request.
    refused: Cell<bool>,
    started: Cell<bool>,
    /// When the way towards the upstream is too slow, and who is waited for.
    send_by: Cell<Option<(Instant, Waiting)>>,
    /// When the way back is too slow.
    receive_by: Cell<Option<(Instant, Waiting)>>,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(worker: &'a Rc<Worker>, plan: &'a Plan, version: Option<&'a str>) -> Self {
        Self {
            worker,
            plan,
            version,
            written: Cell::new(0),
            sent: Cell::new(false),
            refused: Cell::new(false),
            started: Cell::new(false),
            send_by: Cell::new(None),
            receive_by: Cell::new(None),
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome { sent: self.sent.get(), started: self.started.get() }
    }

    /// Runs both directions until the answer is complete or something fails. The end of the answer is left in `out`, so that it
    /// can be counted before the client has it.
    pub(crate) async fn run(&mut self, side: &mut Side<'_>, upstream: &mut TcpStream) -> End {
        let this = &*self;
        let (mut up_read, mut up_write) = upstream.split();
        let (mut client_read, mut client_write) = side.stream.split();
        let timer = &mut *side.timer;
        side.answer.clear();
        side.out.clear();
        let mut send = pin!(this.send(side.forward, side.input, &mut client_read, &mut up_write));
        let mut receive = pin!(this.receive(side.answer, side.out, &mut up_read, &mut client_write));
        let mut begun = false;
        poll_fn(|cx| {
            // At first there is something to send; later it is mostly the answer that there is news of.
            let sends_first = !std::mem::replace(&mut begun, true);
            // Sending never ends well, it goes over into watching the client; so ready means that it failed.
            if sends_first && let Poll::Ready(end) = send.as_mut().poll(cx) {
                return Poll::Ready(end);
            }
            if let Poll::Ready(end) = receive.as_mut().poll(cx) {
                return Poll::Ready(end);
            }
            if !sends_first && let Poll::Ready(end) = send.as_mut().poll(cx) {
                return Poll::Ready(end);
            }
            for (deadline, client_end) in
                [(this.send_by.get(), End::ClientFault(Reason::BodyTimeout)), (this.receive_by.get(), End::ClientGone)]
            {
                if let Some((by, waiting)) = deadline
                    && timer.poll_past(cx, by).is_ready()
                {
                    let upstream_end = End::Failed(Reason::UpstreamTimeout);
                    return Poll::Ready(if waiting == Waiting::Client { client_end } else { upstream_end });
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Sends the head and the body, then watches whether the client goes away: nobody needs the answer then, and a model has
    /// better things to do than to compute it.
    async fn send(
        &self,
        forward: &mut Vec<u8>,
        input: &mut Input,
        client: &mut ReadHalf<'_>,
        upstream: &mut WriteHalf<'_>,
    ) -> End {
        let begun = Instant::from_std(self.plan.begun);
        // On a broken connection the other direction finds out more: the upstream may have answered before it closed.
        if self.write(upstream, forward).await.is_err() {
            self.refused.set(true);
        } else if !self.plan.decoder.is_done()
            && let Err(end) = self.send_body(forward, input, client, upstream).await
        {
            return end;
        }
        self.send_by.set(None);
        if !self.refused.get() {
            self.sent.set(true);
        }
        if self.receive_by.get().is_none() {
            // Most requests were sent in no time, for which the clock need not be asked.
            let sent_at = if self.plan.decoder.is_done() { begun } else { Instant::now() };
            self.receive_by.set(Some((sent_at + self.plan.timeout, Waiting::Upstream)));
        }
        watch(client).await
    }

    async fn send_body(
        &self,
        buffer: &mut Vec<u8>,
        input: &mut Input,
        client: &mut ReadHalf<'_>,
        upstream: &mut WriteHalf<'_>,
    ) -> Result<(), End> {
        let mut decoder = self.plan.decoder;
        let mut draft = self.plan.draft.borrow_mut().take();
        let chunked = self.plan.body == Body::Chunked;
        while !decoder.is_done() {
            let by = Instant::now() + self.worker.shared.config.limits.stall;
            self.send_by.set(Some((by, Waiting::Client)));
            match input.fill(client, &self.worker.scratch).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(End::ClientGone),
            }
            buffer.clear();
            while !decoder.is_done() && !input.is_empty() {
                let step = decoder.step(input.rest()).map_err(|fault| End::ClientFault(fault.into()))?;
                let data = &input.rest()[step.data];
                if chunked {
                    write_chunk(data, buffer)
                } else {
                    buffer.extend_from_slice(data)
                }
                if let Some(draft) = &mut draft {
                    draft.push(data);
                }
                self.plan.probes.borrow_mut().feed_request(&self.plan.service.slices, data);
                input.consume(step.consumed);
            }
            if chunked && decoder.is_done() {
                buffer.extend_from_slice(LAST_CHUNK);
            }
            self.send_by.set(None);
            if self.write(upstream, buffer).await.is_err() {
                self.refused.set(true);
                return Ok(());
            }
        }
        if let Some(draft) = draft {
            mirror::send(self.worker, draft, std::time::Instant::now());
        }
        Ok(())
    }

    async fn write(&self, upstream: &WriteHalf<'_>, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match upstream.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.written.set(self.written.get() + n as u64);
                    bytes = &bytes[n..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let by = Instant::now() + self.worker.shared.config.limits.stall;
                    self.send_by.set(Some((by, Waiting::Upstream)));
                    upstream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn receive(
        &self,
        input: &mut Input,
        out: &mut Vec<u8>,
        upstream: &mut ReadHalf<'_>,
        client: &mut WriteHalf<'_>,
    ) -> End {
        let answer = match self.receive_head(input, out, upstream, client).await {
            Ok(answer) => answer,
            Err(end) => return end,
        };
        let mut answered = Answered {
            status: answer.status,
            close: answer.close,
            upstream_keeps: answer.upstream_keeps,
            is_tunnel: answer.is_tunnel,
            looked: answer.is_readable,
            scanner: Scanner::new(),
        };
        match self.receive_body(answer, &mut answered.scanner, input, out, upstream, client).await {
            Ok(()) => End::Answered(answered),
            Err(end) => end,
        }
    }

    async fn receive_head(
        &self,
        input: &mut Input,
        out: &mut Vec<u8>,
        upstream: &mut ReadHalf<'_>,
        client: &mut WriteHalf<'_>,
    ) -> Result<Answer, End> {
        let head_bytes = self.worker.shared.config.limits.head_bytes;
        let mut interim = 0;
        let mut silent = true;
        loop {
            if !input.is_empty() {
                // A client that still sends the request cannot be told from here where that ends.
                let close = !self.sent.get() || self.worker.draining.get();
                match answer::take_head(input.rest(), self.plan, self.version, close, out) {
                    Ok(Front::Head(answer, len)) if len <= head_bytes => {
                        input.consume(len);
                        return Ok(answer);
                    }
                    Ok(Front::Interim(status, len)) if interim < INTERIM_MAX => {
                        interim += 1;
                        input.consume(len);
                        if status == 100 && self.plan.expects_continue {
                            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| End::ClientGone)?;
                        }
                        continue;
                    }
                    Ok(Front::More) if input.len() <= head_bytes => {}
                    _ => return Err(End::Failed(Reason::UpstreamBroken)),
                }
            }
            match input.fill(upstream, &self.worker.scratch).await {
                Ok(1..) => silent = false,
                Ok(0) | Err(_) if silent && self.may_repeat() => return Err(End::Again),
                Ok(0) | Err(_) => return Err(End::Failed(Reason::UpstreamBroken)),
            }
        }
    }

    /// Whether the request can be sent once more although the connection broke: nothing left for the upstream, or what
    /// left may be executed twice.
    fn may_repeat(&self) -> bool {
        (self.written.get() == 0 && self.refused.get()) || self.plan.is_repeatable
    }

    /// Passes the body on but for its last piece, which stays in `out`.
    async fn receive_body(
        &self,
        mut answer: Answer,
        scanner: &mut Scanner,
        input: &mut Input,
        out: &mut Vec<u8>,
        upstream: &mut ReadHalf<'_>,
        client: &mut WriteHalf<'_>,
    ) -> Result<(), End> {
        let chunked = answer.towards_client == Body::Chunked;
        let service = &self.plan.service;
        let path = service.prediction.as_ref().filter(|_| answer.is_readable);
        let mut hurried = false;
        loop {
            while !answer.decoder.is_done() && !input.is_empty() {
                let step = answer.decoder.step(input.rest()).map_err(|_| End::Failed(Reason::UpstreamBroken))?;
                let data = &input.rest()[step.data];
                if let Some(path) = path {
                    scanner.feed(path, data);
                }
                if answer.is_plain {
                    self.plan.probes.borrow_mut().feed_answer(&service.slices, data);
                }
                if data.len() < DIRECT_BYTES || answer.decoder.is_done() {
                    if chunked { write_chunk(data, out) } else { out.extend_from_slice(data) }
                } else {
                    if chunked {
                        write_chunk_size(data.len(), out);
                    }
                    self.flush(client, out).await?;
                    self.write_out(client, data).await?;
                    if chunked {
                        out.extend_from_slice(b"\r\n");
                    }
                }
                input.consume(step.consumed);
                if out.len() >= DIRECT_BYTES && !answer.decoder.is_done() {
                    self.flush(client, out).await?;
                }
            }
            if answer.decoder.is_done() {
                break;
            }
            self.flush(client, out).await?;
            self.receive_by.set(Some((Instant::now() + self.plan.timeout, Waiting::Upstream)));
            if !hurried {
                // A server that sends head and body apart and does not know about Nagle's algorithm would wait for the kernel's
                // delayed acknowledgement of the first, 40 ms. Many a model server is like that.
                hurried = true;
                let _ = SockRef::from(upstream.as_ref()).set_tcp_quickack(true);
            }
            match input.fill(upstream, &self.worker.scratch).await {
                Ok(1..) => {}
                Ok(0) if answer.decoder.may_close() => break,
                Ok(0) | Err(_) => return Err(End::Failed(Reason::UpstreamBroken)),
            }
        }
        if chunked {
            out.extend_from_slice(LAST_CHUNK);
        }
        Ok(())
    }

    async fn flush(&self, client: &mut WriteHalf<'_>, out: &mut Vec<u8>) -> Result<(), End> {
        self.write_out(client, out).await?;
        out.clear();
        Ok(())
    }

    async fn write_out(&self, client: &mut WriteHalf<'_>, mut bytes: &[u8]) -> Result<(), End> {
        while !bytes.is_empty() {
            self.started.set(true);
            match client.try_write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let by = Instant::now() + self.worker.shared.config.limits.stall;
                    self.receive_by.set(Some((by, Waiting::Client)));
                    client.writable().await.map_err(|_| End::ClientGone)?;
                }
                Err(_) => return Err(End::ClientGone),
            }
        }
        Ok(())
    }
}

/// Ready when the client has gone. Another request that is already there hides it, and is reason enough to go on.
async fn watch(client: &mut ReadHalf<'_>) -> End {
    let mut byte = [0];
    let gone = poll_fn(|cx| client.poll_peek(cx, &mut ReadBuf::new(&mut byte)).map(|r| !matches!(r, Ok(1..)))).await;
    if gone { End::ClientGone } else { pending().await }
}
