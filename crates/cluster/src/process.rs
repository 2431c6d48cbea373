//! The whole process: the lock of the leader, the loop, probes and metrics.

use std::cell::{Cell, Ref, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::client::Client;
use crate::controller::{Controller, Settings};
use crate::election::{Election, Lock};
use crate::error::Error;
use crate::evidence::Evidence;
use crate::fault::Fault;
use crate::fence::Fence;
use crate::metrics;
use crate::pass::Key;
use crate::queue::Queue;
use crate::serve::{Answer, serve};
use crate::shared::Shared;

/// The loop turns twice a minute at least, and after the end of a pass it may wait for a few answers of the API server.
const STUCK: Duration = Duration::from_mins(3);

/// How often what is counted of objects that have gone is looked for.
const SWEEP: Duration = Duration::from_secs(15);

/// A controller with everything around it.
pub struct Process {
    controller: Controller,
    lock: Option<Lock>,
    health: TcpListener,
    metrics: TcpListener,
    state: Rc<State>,
}

/// What probes and metrics tell of.
struct State {
    shared: Rc<Shared>,
    leads: Cell<bool>,
    version: &'static str,
}

/// Where probes and metrics are served. Port 0 takes any that is free.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// `/healthz` and `/readyz`.
    pub health: SocketAddr,
    /// `/metrics`.
    pub metrics: SocketAddr,
}

impl Process {
    /// Takes the ports; nothing is done yet. Without an election it works at once.
    ///
    /// # Errors
    /// When a port cannot be taken.
    pub async fn new(
        client: Client,
        settings: Settings,
        fault: Fault,
        election: Option<Election>,
        ports: Ports,
        version: &'static str,
    ) -> Result<Self, Error> {
        let (health, metrics) = (listen(ports.health).await?, listen(ports.metrics).await?);
        let fence = election.as_ref().map_or_else(Fence::default, |_| Fence::closed());
        let controller = Controller::new(client.fenced(fence.clone()), settings, fault);
        let lock = election.map(|election| Lock::new(client, election, fence));
        let state = State { shared: controller.shared(), leads: Cell::new(false), version };
        Ok(Self { controller, lock, health, metrics, state: Rc::new(state) })
    }

    /// Where probes are served.
    pub fn health(&self) -> Option<SocketAddr> {
        self.health.local_addr().ok()
    }

    /// Where metrics are served.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics.local_addr().ok()
    }

    /// Waits for the lock, works until it is told to stop, ends what it began, and gives the lock back. Must run on a
    /// [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// When the lock is lost. Passes are dropped where they are then; their writes would be refused by the fence anyhow.
    //= compat: 9.2-2
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<(), Error> {
        let Self { controller, lock, health, metrics, state } = self;
        let probes = state.clone();
        let served = [
            tokio::task::spawn_local(serve(health, Rc::new(move |path| probes.probe(path)))),
            tokio::task::spawn_local(serve(metrics, {
                let state = state.clone();
                Rc::new(move |path| state.metrics(path))
            })),
            tokio::task::spawn_local(sweep(state.shared.clone())),
        ];
        let ended = match lock {
            None => {
                state.leads.set(true);
                controller.run(stop).await;
                Ok(())
            }
            Some(mut lock) => tokio::select! {
                () = told(stop.clone()) => Ok(()),
                () = lock.acquire() => {
                    state.leads.set(true);
                    lead(&controller, &mut lock, stop.clone()).await
                }
            },
        };
        state.leads.set(false);
        served.iter().for_each(tokio::task::JoinHandle::abort);
        ended
    }
}

async fn told(mut stop: watch::Receiver<bool>) {
    // An end of the sender is an order to stop, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Works for as long as the lock is held.
//= compat-differs: 9.2-3 a leader that cannot renew its lease drops what it is in the middle of and ends with an error before anybody may take the lease; waiting for queues to drain could write beside the next leader
async fn lead(controller: &Controller, lock: &mut Lock, stop: watch::Receiver<bool>) -> Result<(), Error> {
    let lost = tokio::select! {
        () = controller.run(stop) => None,
        lost = lock.keep() => Some(lost),
    };
    match lost {
        Some(lost) => Err(lost),
        None => {
            lock.release().await;
            Ok(())
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let failed = |error: std::io::Error| Error::Process(format!("listen at {address}: {error}"));
    TcpListener::bind(address).await.map_err(failed)
}

async fn sweep(shared: Rc<Shared>) {
    let mut times = tokio::time::interval(SWEEP);
    loop {
        times.tick().await;
        let store = shared.store.borrow();
        shared.tally.sweep(&|key| store.has(key.resource(), key.name()), Instant::now());
    }
}

impl State {
    fn probe(&self, path: &str) -> Option<Answer> {
        match path {
            "/healthz" => Some(self.health()),
            "/readyz" => Some(self.readiness()),
            _ => None,
        }
    }

    /// A loop that does not turn any more is mended by a restart.
    fn health(&self) -> Answer {
        match self.shared.turned.get().map(|turned| turned.elapsed()).filter(|still| *still > STUCK) {
            None => Answer::text(200, "ok"),
            Some(still) => Answer::text(503, format!("the loop stands still since {} s\n", still.as_secs())),
        }
    }

    /// One that does not lead waits, and is ready for that. A leader must know the objects that it decides on.
    fn readiness(&self) -> Answer {
        if !self.leads.get() {
            return Answer::text(200, "ok");
        }
        let store = self.shared.store.borrow();
        let missing = self.shared.settings.always().filter(|kind| !store.is_synced(*kind));
        let missing: Vec<&str> = missing.map(|kind| kind.plural).collect();
        match missing.is_empty() {
            true => Answer::text(200, "ok"),
            false => Answer::text(503, format!("not known yet: {}\n", missing.join(", "))),
        }
    }

    fn metrics(&self, path: &str) -> Option<Answer> {
        let known = path == "/metrics";
        known.then(|| {
            let shared = &self.shared;
            let queues: Vec<Ref<'_, Queue<Key>>> = shared.queues.iter().map(RefCell::borrow).collect();
            let body = metrics::page(&metrics::Scene {
                store: &shared.store.borrow(),
                queues: &queues.iter().map(|queue| &**queue).collect::<Vec<_>>(),
                tally: &shared.tally,
                evidence: shared.evidence.as_ref().map(Evidence::health),
                calls: &shared.client.calls().all(),
                failing: &shared.failing.borrow(),
                leads: self.leads.get(),
                version: self.version,
            });
            Answer { code: 200, content_type: "text/plain; version=0.0.4; charset=utf-8", body }
        })
    }
}
