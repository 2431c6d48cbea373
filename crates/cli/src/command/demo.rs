//! `serin demo`: the example's three services under real load, a good version promoted and two bad ones rolled back, with
//! nobody touching anything. With `--blue-green` one service, a major version that fails before its switch, and a good one.

mod beside;
mod blue_green;
mod board;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use serin_local::EventRecord;
use serin_local::client::Client;
use serin_local::protocol::{Info, Outcome, Request};
use serin_local::view::RolloutView;

use crate::arguments::{Demo, Format, Up};
use crate::command::up;
use crate::error::CliError;
use crate::output;
use board::Board;
use report::{Expected, Report, ServiceReport};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Longest wait for the first versions to run, in real time: three models are trained meanwhile.
const FIRST: Duration = Duration::from_secs(60);

/// Longest wait for the outcome, on the rollouts' clock. The slowest rollout takes about ten minutes.
const LAST_S: u64 = 3000;

/// What happens to whom.
const PLAY: [(&str, &str, Expected, &str); 3] = [
    ("bankchurn-predictor", "v3.2.0", Expected::Promoted, "a better model"),
    ("chicagotaxi-predictor", "v3.3.0", Expected::RolledBack, "answers some requests with 500"),
    (
        "nlpinsight-predictor",
        "v3.4.0",
        Expected::RolledBack,
        "fast and without errors, but its predictions have shifted",
    ),
];

/// The load generator, stopped with the demo.
struct Load {
    child: Child,
}

impl Load {
    /// Ends it and reads its summary.
    fn finish(mut self) -> Option<serde_json::Value> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw)?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok()?;
        let stdout = self.child.stdout.take()?;
        let summary = serde_json::from_reader(std::io::BufReader::new(stdout)).ok();
        let _ = self.child.wait();
        summary
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) async fn run(demo: Demo, format: Format) -> Result<ExitCode, CliError> {
    let format = if demo.json { Format::Json } else { format };
    if !demo.example.join(serin_local::side::FILE).is_file() {
        let message = format!("{} is not the example's folder", demo.example.display());
        return Err(CliError::usage(
            message,
            "run it from the top of the source tree, or name the folder with --example",
        ));
    }
    let program = model_service()?;
    let folder = tempfile::Builder::new().prefix("serin-demo-").tempdir().map_err(CliError::io("make a folder"))?;
    let state = folder.path().join("state");
    let story = if demo.blue_green { board::OF_A_SWITCH } else { board::OF_STEPS };
    let mut board = Board::new(format == Format::Text, story);
    board.say(&format!("state folder {}, clock {} times as fast as real time", state.display(), demo.speed));
    let result = match demo.blue_green {
        true => blue_green::play(&demo, &state, &program, &mut board).await.map(Found::Switch),
        false => play(&demo, &state, &program, &mut board).await.map(Found::Steps),
    };
    if demo.keep && result.is_ok() {
        let kept = folder.keep();
        board.say(&format!("everything goes on: serin --state {}/state status", kept.display()));
    } else if let Ok(mut client) = Client::connect(&state).await {
        board.say("stopping everything");
        up::stop_running(&mut client).await?;
    }
    let found = result?;
    let (as_expected, text) = match &found {
        Found::Steps(report) => (report.as_expected(), report.text()),
        Found::Switch(report) => (report.as_expected(), report.text()),
    };
    if !output::machine(format, &found)? {
        output::line(text);
    }
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::from(crate::error::FAILED) })
}

/// What a demo found.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Found {
    Steps(Report),
    Switch(blue_green::Report),
}

/// The model service, beside this program or in the PATH.
fn model_service() -> Result<PathBuf, CliError> {
    let name = "model-service";
    let beside = std::env::current_exe().ok().and_then(|own| own.parent().map(|f| f.join(name)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = beside.into_iter().chain(std::env::split_paths(&path).map(|f| f.join(name)));
    candidates.into_iter().find(|p| p.is_file()).ok_or_else(|| {
        CliError::usage(
            "the example's program `model-service` is not built",
            "build it with `cargo build --release -p ml-portfolio`",
        )
    })
}

async fn play(demo: &Demo, state: &Path, program: &Path, board: &mut Board) -> Result<Report, CliError> {
    let began = Instant::now();
    let (info, mut client) = start(demo, &demo.example, state, board).await?;
    first_versions(&mut client, PLAY.len(), board).await?;
    beside::watch(&mut client, &demo.example, &PLAY.map(|(service, ..)| service)).await?;
    board.say("comparisons with the stable version look on beside the analyses that decide");
    let load = start_load(program, &info.router, demo.rate, &[])?;
    board.say(&format!("{} requests a second go to the three services", demo.rate));
    // The windows of the first queries should hold traffic of the stable versions too.
    settle(&mut client, board, Duration::from_secs_f64((20.0 / demo.speed).max(1.0))).await?;
    let deployed = Instant::now();
    for (service, version, expected, what) in PLAY {
        let request = Request::Deploy { service: service.to_owned(), version: version.to_owned(), container: None };
        let _: Vec<Outcome> = client.ask(&request).await?;
        board.say(&format!("deployed {service} {version}: {what}; it should be {}", expected.words()));
    }
    let services = outcomes(&mut client, board, demo.speed, deployed).await?;
    board.clear();
    let load = load.finish();
    Ok(Report::new(services, demo.speed, began.elapsed(), load))
}

/// Starts everything in a folder.
async fn start(demo: &Demo, folder: &Path, state: &Path, board: &mut Board) -> Result<(Info, Client), CliError> {
    let options = Up {
        folder: Some(folder.to_owned()),
        detach: true,
        speed: Some(demo.speed),
        listen: Some(demo.listen),
        status: None,
        prometheus: None,
    };
    let info: Info = up::start_behind(state, &options).await?;
    board.say(&format!("the router takes requests on http://{}", info.router));
    Ok((info, Client::connect(state).await?))
}

/// Waits until all of them are healthy at their first version.
async fn first_versions(client: &mut Client, count: usize, board: &mut Board) -> Result<(), CliError> {
    let end = Instant::now() + FIRST;
    loop {
        let now = views(client).await?;
        board.show(&now);
        if now.len() == count && now.iter().all(|v| v.phase == "Healthy") {
            return Ok(());
        }
        if Instant::now() > end {
            let late: Vec<String> =
                now.iter().filter(|v| v.phase != "Healthy").map(|v| format!("{}: {}", v.name, v.message)).collect();
            return Err(CliError::Rollout(format!("the first versions are not ready: {}", late.join("; "))));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn start_load(program: &Path, router: &str, rate: u32, more: &[&str]) -> Result<Load, CliError> {
    let child = Command::new(program)
        .args(["load", "--router", router, "--rate", &rate.to_string(), "--json"])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(CliError::io("start the load"))?;
    Ok(Load { child })
}

async fn settle(client: &mut Client, board: &mut Board, time: Duration) -> Result<(), CliError> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        board.show(&views(client).await?);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Watches until every service has its outcome.
/// All rollouts as they are now.
async fn views(client: &mut Client) -> Result<Vec<RolloutView>, CliError> {
    Ok(client.ask(&Request::Status { service: None }).await?)
}

async fn outcomes(
    client: &mut Client,
    board: &mut Board,
    speed: f64,
    began: Instant,
) -> Result<Vec<ServiceReport>, CliError> {
    let mut ended: Vec<Option<f64>> = vec![None; PLAY.len()];
    loop {
        let now = views(client).await?;
        for event in client.ask::<Vec<EventRecord>>(&Request::Events { service: None, count: 60 }).await? {
            board.event(&event);
        }
        let weights = weights(client).await?;
        board.show(&now);
        let mut open = false;
        for (i, (service, version, ..)) in PLAY.iter().enumerate() {
            let Some(view) = now.iter().find(|v| v.name == *service) else { continue };
            let over = has_ended(view, version);
            if over && ended[i].is_none() {
                ended[i] = Some(began.elapsed().as_secs_f64() * speed);
            }
            open |= !over;
        }
        if !open || began.elapsed().as_secs_f64() * speed > LAST_S as f64 {
            let report = |(i, (service, version, expected, _)): (usize, &(&str, &str, Expected, &str))| {
                let view = now.iter().find(|v| v.name == *service)?;
                Some(ServiceReport::new(
                    view,
                    version,
                    *expected,
                    ended[i],
                    weights.get(*service).cloned().unwrap_or_default(),
                ))
            };
            return Ok(PLAY.iter().enumerate().filter_map(report).collect());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The weights that each service's canary has had since its deployment, in order.
async fn weights(client: &mut Client) -> Result<BTreeMap<String, Vec<u32>>, CliError> {
    let mut weights: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for event in client.ask::<Vec<EventRecord>>(&Request::Events { service: None, count: 1000 }).await? {
        let name = event.object.rsplit('/').next().unwrap_or_default();
        if event.reason == "TrafficWeightUpdated"
            && let Some(weight) = event.message.rsplit(' ').next().and_then(|w| w.parse().ok())
        {
            weights.entry(name.to_owned()).or_default().push(weight);
        }
    }
    Ok(weights)
}

/// Promoted and healthy, or given up with all traffic back.
fn has_ended(view: &RolloutView, version: &str) -> bool {
    let promoted = view.phase == "Healthy" && view.promoted && output::tag(&view.stable_image) == version;
    let rolled_back = view.aborted && view.weight.actual == Some(0);
    promoted || rolled_back
}
