//! A client's connection: one request after the other until one of the two has enough.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::exchange::{Next, Side, exchange};
use crate::intake::{Intake, Plan, Refused, Surroundings, take_in};
use crate::refusal::Reason;
use crate::stream::{Input, Timer, shrink};
use crate::tunnel::tunnel;
use crate::worker::Worker;

/// How long a connection that was closed from here is read on: closing it with bytes unread would destroy the answer on its way.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);
/// Bytes read meanwhile.
const LINGER_BYTES: usize = 1024 * 1024;

struct Connection<'a> {
    worker: &'a Rc<Worker>,
    stream: TcpStream,
    peer: String,
    idle: &'a Cell<bool>,
    timer: Timer,
    input: Input,
    forward: Vec<u8>,
    out: Vec<u8>,
    answer: Input,
}

/// What waiting for a request led to.
enum Arrival {
    Plan(Plan),
    Refused(Reason, Option<Refused>),
    /// The client closed, or was silent for too long.
    Nobody,
}

/// Serves a client until the connection ends. `idle` tells whether nothing of a request has come.
pub(crate) async fn serve(worker: &Rc<Worker>, stream: TcpStream, peer: SocketAddr, idle: &Cell<bool>) {
    // An answer of several writes would otherwise wait for the client's acknowledgement of the first.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let connection = Connection {
        worker,
        stream,
        peer: peer.ip().to_canonical().to_string(),
        idle,
        timer: Timer::new(Instant::now() + worker.shared.config.limits.client_idle),
        input: Input::default(),
        forward: Vec::new(),
        out: Vec::new(),
        answer: Input::default(),
    };
    connection.run().await;
}

impl Connection<'_> {
    async fn run(mut self) {
        let mut quiet_since = Instant::now();
        loop {
            let next = match self.arrival(quiet_since).await {
                Arrival::Plan(mut plan) => exchange(self.worker, &mut plan, &mut self.side()).await,
                Arrival::Refused(reason, body) => self.refuse(reason, body).await,
                Arrival::Nobody => return,
            };
            match next {
                Next::Another(ended) => {
                    quiet_since = Instant::from_std(ended);
                    self.rest();
                }
                Next::Linger => return self.linger().await,
                Next::Close => return,
                Next::Cut => return self.cut(),
                Next::Tunnel(mut upstream, _tally) => {
                    let idle = self.worker.shared.config.limits.tunnel_idle;
                    let client = (&mut self.stream, &mut self.input);
                    let upstream = (&mut upstream.stream, &mut self.answer);
                    return tunnel(client, upstream, &mut self.timer, &self.worker.scratch, idle).await;
                }
            }
        }
    }

    fn side(&mut self) -> Side<'_> {
        Side {
            stream: &mut self.stream,
            input: &mut self.input,
            forward: &mut self.forward,
            out: &mut self.out,
            answer: &mut self.answer,
            timer: &mut self.timer,
        }
    }

    /// Gives back what large messages needed, since the client may be silent from here on.
    fn rest(&mut self) {
        self.input.shrink();
        self.answer.shrink();
        shrink(&mut self.forward);
        shrink(&mut self.out);
    }

    /// Waits for the head of a request.
    async fn arrival(&mut self, quiet_since: Instant) -> Arrival {
        let limits = &self.worker.shared.config.limits;
        let idle_by = quiet_since + limits.client_idle;
        let mut head_by = None;
        // Reading a head again for every byte that comes would let a client burn a processor; a line end is the least that
        // can change the result, and a head has a limited number of those.
        let mut look = !self.input.is_empty();
        loop {
            while self.input.rest().starts_with(b"\r\n") {
                self.input.consume(2);
            }
            if look && !self.input.is_empty() {
                match self.take_in() {
                    Intake::More => {}
                    Intake::Plan(plan, len) => {
                        self.input.consume(len);
                        return Arrival::Plan(plan);
                    }
                    Intake::Refused(reason, refused) => return Arrival::Refused(reason, refused),
                }
            }
            let waiting = self.input.is_empty();
            self.idle.set(waiting);
            let by = if waiting { idle_by } else { *head_by.get_or_insert_with(|| Instant::now() + limits.head) };
            let before = self.input.len();
            let (mut read, _) = self.stream.split();
            let filled = self.timer.within(by, self.input.fill(&mut read, &self.worker.scratch)).await;
            self.idle.set(false);
            match filled {
                Some(Ok(1..)) => {
                    let new = &self.input.rest()[before..];
                    look = waiting || new.contains(&b'\n') || self.input.len() > limits.head_bytes;
                }
                None if !waiting => return Arrival::Refused(Reason::HeadTimeout, None),
                _ => return Arrival::Nobody,
            }
        }
    }

    fn take_in(&mut self) -> Intake {
        self.forward.clear();
        let routing = self.worker.shared.routing.load();
        let around = Surroundings {
            routing: &routing,
            peer: &self.peer,
            trust_forwarded: self.worker.shared.config.trust_forwarded,
            head_bytes_max: self.worker.shared.config.limits.head_bytes,
            random: &|| self.worker.random(),
            copies: &self.worker.copies,
        };
        take_in(self.input.rest(), &around, &mut self.forward)
    }

    /// Answers a request that goes nowhere. If its body has come along the connection can go on.
    async fn refuse(&mut self, reason: Reason, refused: Option<Refused>) -> Next {
        self.worker.shared.refusals.count(reason);
        let mut keep = refused.is_some() && !self.worker.draining.get();
        let is_head = refused.as_ref().is_some_and(|r| r.is_head);
        if let Some(mut refused) = refused {
            self.input.consume(refused.head_len);
            while !refused.body.is_done() && !self.input.is_empty() {
                match refused.body.step(self.input.rest()) {
                    Ok(step) => self.input.consume(step.consumed),
                    Err(_) => break,
                }
            }
            keep &= refused.body.is_done();
        }
        self.out.clear();
        reason.write(&mut self.out, keep, is_head);
        let by = Instant::now() + self.worker.shared.config.limits.stall;
        match self.timer.within(by, self.stream.write_all(&self.out)).await {
            Some(Ok(())) if keep => Next::Another(std::time::Instant::now()),
            Some(Ok(())) => Next::Linger,
            _ => Next::Cut,
        }
    }

    /// Closes towards the client and reads on for a while.
    async fn linger(mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let by = Instant::now() + LINGER;
        let mut read = 0;
        while read < LINGER_BYTES {
            self.input.clear();
            match self.timer.within(by, self.input.fill(&mut self.stream, &self.worker.scratch)).await {
                Some(Ok(n @ 1..)) => read += n,
                _ => return,
            }
        }
    }

    /// Ends the connection with a reset, so that a client that reads until the end does not take half an answer for a whole one.
    fn cut(self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
    }
}
