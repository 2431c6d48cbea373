//! Load for the services through a router: rows that training never saw, at a steady rate that does not wait for
//! answers (a slow service gets no fewer requests), with a bound on how many may be under way.

mod client;
mod tally;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use crate::PortfolioError;
use crate::data::{examples, held_out};
use crate::learn::Shuffle;
use crate::service::Service;

pub use tally::{ServiceSummary, Summary};

use client::Client;
use tally::Tally;

/// Requests under way at a time. Further ones are not sent but counted, so that a router that hangs cannot eat the machine.
const UNDER_WAY_MAX: usize = 512;

/// Time between two looks for a router that is not up yet.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What to send where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the router, `host:port`.
    pub router: String,
    /// Whom to ask.
    pub targets: Vec<Target>,
    /// Requests a second over all targets, above 0.
    pub rate: f64,
    /// How long; until SIGTERM or SIGINT when absent. The wait for a router counts.
    pub duration: Option<Duration>,
}

/// A service and the host by which it is asked.
#[derive(Debug, Clone)]
pub struct Target {
    /// The service.
    pub service: Service,
    /// The host.
    pub host: String,
}

/// A request of the load.
#[derive(Debug)]
struct Question {
    target: Target,
    body: String,
}

/// Sends load until the time is over or a signal comes, waits for the answers under way and says what came of it.
///
/// # Errors
/// When the rows are not in order or the system refuses to start anything.
pub fn run(options: &Options) -> Result<Summary, PortfolioError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PortfolioError::Start)?;
    runtime.block_on(send(options))
}

/// The rows of all services in turn, each service's in an order of its own.
fn questions(targets: &[Target]) -> Result<Vec<Arc<Question>>, PortfolioError> {
    let mut by_service = Vec::new();
    for target in targets {
        let examples = examples(target.service, None)?;
        let mut bodies: Vec<String> =
            held_out(&examples).map(|e| serde_json::Value::Object(e.fields.clone()).to_string()).collect();
        Shuffle::new(7).shuffle(&mut bodies);
        by_service.push((target, bodies));
    }
    let most = by_service.iter().map(|(_, bodies)| bodies.len()).max().unwrap_or(0);
    let turn = |i: usize| {
        by_service.iter().filter_map(move |(target, bodies)| {
            let body = bodies.get(i % bodies.len().max(1))?.clone();
            Some(Arc::new(Question { target: (*target).clone(), body }))
        })
    };
    Ok((0..most).flat_map(turn).collect())
}

async fn send(options: &Options) -> Result<Summary, PortfolioError> {
    // Before anything that takes time: from here on, a signal ends with a summary.
    let mut term = signal(SignalKind::terminate()).map_err(PortfolioError::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(PortfolioError::Start)?;
    let client = Arc::new(Client::new(options.router.clone()));
    let tallies: BTreeMap<Service, Tally> = options.targets.iter().map(|t| (t.service, Tally::default())).collect();
    let tallies = Arc::new(Mutex::new(tallies));
    let over = async {
        match options.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let start = Instant::now();
    let questions = questions(&options.targets)?;
    let places = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    tokio::select! {
        () = schedule(options.rate, &questions, &client, &tallies, &places) => {}
        () = over => {}
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    let seconds = start.elapsed().as_secs_f64();
    // Everything under way ends by the client's own time limit; a second signal does not wait for that.
    tokio::select! {
        _ = places.acquire_many(UNDER_WAY_MAX as u32) => {}
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    let tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Summary::new(seconds, &tallies))
}

/// Starts the n-th request at `n / rate` seconds, whatever became of the ones before.
async fn schedule(
    rate: f64,
    questions: &[Arc<Question>],
    client: &Arc<Client>,
    tallies: &Arc<Mutex<BTreeMap<Service, Tally>>>,
    places: &Arc<Semaphore>,
) {
    while !client.is_reachable().await {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let start = tokio::time::Instant::now();
    for (n, question) in questions.iter().cycle().enumerate() {
        tokio::time::sleep_until(start + Duration::from_secs_f64(n as f64 / rate)).await;
        let place = places.clone().try_acquire_owned();
        let tally = {
            let tallies = tallies.clone();
            let service = question.target.service;
            move |count: &dyn Fn(&mut Tally)| {
                let mut tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner);
                count(tallies.entry(service).or_default());
            }
        };
        let Ok(place) = place else {
            tally(&|t| t.unsent += 1);
            continue;
        };
        let (client, question) = (client.clone(), question.clone());
        tokio::spawn(async move {
            let (sent, begin) = (SystemTime::now(), Instant::now());
            let answer = client.ask(&question.target.host, &question.body).await;
            tally(&|t| t.count(&answer, sent, begin.elapsed()));
            drop(place);
        });
    }
}
