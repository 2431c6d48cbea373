//! One service and release behind a port: `POST /predict`, `GET /health`, `GET /metrics`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::http::{Connection, Incoming, Request, Response};
use crate::metrics::Metrics;
use crate::model::{self, Model};
use crate::profile::ProfileStore;
use crate::row::Row;
use crate::service::Service;
use crate::version::Version;
use crate::{PortfolioError, data};

/// Connections served at a time; further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 512;

/// How long a connection may be silent between requests. Longer than the idle time of usual proxies (60 s), so that it is
/// the proxy that closes first and no request meets a closing connection.
const IDLE_TIME: Duration = Duration::from_secs(75);

/// For requests under way after SIGTERM. Below Kubernetes' 30 s, after which comes SIGKILL.
const FINISH_TIME: Duration = Duration::from_secs(25);

/// What to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// The service.
    pub service: Service,
    /// The release.
    pub version: Version,
    /// The address to listen on: loopback on one machine, every address in a pod.
    pub address: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Folder of model files. A model without a file is trained at the start.
    pub models: Option<PathBuf>,
}

/// What all connections share.
#[derive(Debug)]
struct App {
    service: Service,
    version: Version,
    /// Set when the model is ready.
    model: OnceLock<Model>,
    metrics: Metrics,
    /// Only v3.5.0 has one.
    profiles: Option<ProfileStore>,
}

/// Serves until SIGTERM or SIGINT, then finishes what is under way.
///
/// # Errors
/// When the port cannot be used, or the model's file is not in order.
pub fn serve(options: &Options) -> Result<(), PortfolioError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PortfolioError::Start)?;
    let served = runtime.block_on(run(options));
    // A model that is still being trained when the signal comes must not hold up the end.
    runtime.shutdown_background();
    served
}

async fn run(options: &Options) -> Result<(), PortfolioError> {
    let mut term = signal(SignalKind::terminate()).map_err(PortfolioError::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(PortfolioError::Start)?;
    let address = SocketAddr::from((options.address, options.port));
    let listen = |source| PortfolioError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let profiles = match options.version {
        Version::Slow => Some(ProfileStore::open().await.map_err(PortfolioError::Start)?),
        _ => None,
    };
    let app = Arc::new(App {
        service: options.service,
        version: options.version,
        model: OnceLock::new(),
        metrics: Metrics::new(options.service),
        profiles,
    });
    println!("{} {} listens on {address}", options.service.prefix(), options.version);
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let loading = load(app.clone(), options.models.clone());
    tokio::select! {
        () = accept(&listener, &app, &stopped, &mut connections) => {}
        error = loading => return Err(error),
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(listener);
    let _ = stop.send(true);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FINISH_TIME, finish).await.is_err() {
        eprintln!("{} requests were not finished in time", connections.len());
    }
    Ok(())
}

/// Gets the model ready beside the answering of health checks. Comes back only if that fails.
async fn load(app: Arc<App>, models: Option<PathBuf>) -> PortfolioError {
    let start = Instant::now();
    let (service, version) = (app.service, app.version);
    let get = move || -> Result<(Model, &'static str), PortfolioError> {
        if let Some(model) = models.map_or(Ok(None), |dir| model::load(&dir, service, version))? {
            return Ok((model, "read"));
        }
        Ok((Model::train(service, version, &data::examples(service, None)?), "trained"))
    };
    match tokio::task::spawn_blocking(get).await {
        Ok(Ok((model, how))) => {
            println!("{} {version} is ready, {how} in {} ms", service.prefix(), start.elapsed().as_millis());
            let _ = app.model.set(model);
            std::future::pending().await
        }
        Ok(Err(error)) => error,
        Err(panic) => PortfolioError::Start(std::io::Error::other(panic)),
    }
}

async fn accept(
    listener: &TcpListener,
    app: &Arc<App>,
    stopped: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (app, stopped) = (app.clone(), stopped.clone());
                connections.spawn(async move {
                    connection(&app, stream, stopped).await;
                    drop(place);
                });
            }
            // Out of file handles, most likely: some connection has to end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(app: &App, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
    let mut connection = Connection::new(stream);
    loop {
        tokio::select! {
            biased;
            woken = tokio::time::timeout(IDLE_TIME, connection.wakes()) => if woken != Ok(true) { return },
            _ = stopped.wait_for(|s| *s) => return,
        }
        match connection.read().await {
            Incoming::Closed => return,
            Incoming::Refused(response) => {
                app.metrics.request(response.status, Duration::ZERO);
                if connection.write(&response, false).await {
                    connection.linger().await;
                }
                return;
            }
            Incoming::Request(request) => {
                let response = app.answer(&request).await;
                let keep = request.keep && !*stopped.borrow();
                if !connection.write(&response, keep).await || !keep {
                    return;
                }
            }
        }
    }
}

impl App {
    async fn answer(&self, request: &Request) -> Response {
        let start = Instant::now();
        let response = match (request.path.as_str(), request.method.as_str()) {
            ("/health", "GET") => return self.health(),
            ("/metrics", "GET") => {
                let content_type = "text/plain; version=0.0.4; charset=utf-8";
                return Response { status: 200, content_type, body: self.metrics.text(), allow: None };
            }
            ("/predict", "POST") => self.predict(&request.body).await,
            ("/predict", _) => Response { allow: Some("POST"), ..Response::error(405, "ask with POST") },
            ("/health" | "/metrics", _) => Response { allow: Some("GET"), ..Response::error(405, "ask with GET") },
            _ => Response::error(404, "there are /predict, /health and /metrics"),
        };
        self.metrics.request(response.status, start.elapsed());
        response
    }

    fn health(&self) -> Response {
        let ready = self.model.get().is_some();
        let state = if ready { "ready" } else { "loading" };
        let body = json!({ "status": state, "model": self.service.name(), "version": self.version.tag() });
        Response::json(if ready { 200 } else { 503 }, &body)
    }

    async fn predict(&self, body: &[u8]) -> Response {
        let Some(model) = self.model.get() else { return Response::error(503, "the model is not loaded yet") };
        let row = match Row::parse(self.service, body) {
            Ok(row) => row,
            Err(message) => return Response::error(400, &message),
        };
        if let Some(profiles) = &self.profiles {
            // No feature reads the profile yet; the release was to gather profiles first.
            let _profile = profiles.profile().await;
        }
        match model.predict(&row) {
            Ok(prediction) => {
                self.metrics.prediction(prediction.positive);
                let score = (prediction.score * 1e4).round() / 1e4;
                Response::json(
                    200,
                    &json!({
                        "prediction": self.service.class(prediction.positive),
                        "score": score,
                        "model": self.service.name(),
                        "version": self.version.tag(),
                    }),
                )
            }
            Err(error) => {
                let body = json!({
                    "error": format!("failed to predict: {error}"),
                    "model": self.service.name(),
                    "version": self.version.tag(),
                });
                Response::json(500, &body)
            }
        }
    }
}
