//! `serin demo --blue-green`: a major version that testers see fail, so that no user ever does, and one that gets every request
//! at once. What users and testers got is counted by the load itself.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serin_local::EventRecord;
use serin_local::client::Client;
use serin_local::protocol::{Outcome, Request};
use serin_local::view::RolloutView;

use super::board::Board;
use super::report::{Expected, Verdict, verdicts};
use super::{LAST_S, LOOK_EVERY, first_versions, settle, start, start_load, views};
use crate::arguments::Demo;
use crate::error::CliError;
use crate::output::{self, age, tag};

const SERVICE: &str = "bankchurn-predictor";

/// The host by which testers ask.
const PREVIEW: &str = "bankchurn-preview.localhost";

const STABLE: &str = "v3.2.0";
const FAILING: &str = "v4.0.0";
const GOOD: &str = "v4.1.0";

/// How long the users are watched after the end, in real time.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// The report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    as_expected: bool,
    speed: f64,
    seconds: f64,
    updates: Vec<Update>,
    users: Asked,
    testers: Asked,
    /// Users' answers from the version that failed its preview.
    users_on_failing_version: u64,
    /// When the last request was sent that the former version answered, in milliseconds after `promote` returned; below zero, as
    /// it must be, before that.
    last_on_former_version_ms: Option<f64>,
    /// Whether every request sent after `promote` returned was answered by the new version.
    none_on_former_version_after_promote: bool,
}

/// What became of a version.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    service: String,
    version: String,
    expected: Expected,
    outcome: Option<Expected>,
    reason: String,
    /// On the rollout's clock.
    seconds: f64,
    verdicts: Vec<Verdict>,
}

/// What somebody's requests got.
#[derive(Debug, Serialize)]
struct Asked {
    sent: u64,
    /// Answers other than 200, and requests without an answer.
    failed: u64,
    load: serde_json::Value,
}

impl Asked {
    fn new(load: Option<serde_json::Value>) -> Self {
        let load = load.map_or(serde_json::Value::Null, |mut summary| summary["services"][0].take());
        let sent = load["sent"].as_u64().unwrap_or(0);
        Self { sent, failed: sent - load["statuses"]["200"].as_u64().unwrap_or(0).min(sent), load }
    }

    fn answers_of(&self, version: &str) -> u64 {
        self.load["versions"][version].as_u64().unwrap_or(0)
    }

    fn last_sent_us(&self, version: &str) -> Option<u64> {
        self.load["last_sent_us"][version].as_u64()
    }
}

pub(super) async fn play(demo: &Demo, state: &Path, program: &Path, board: &mut Board) -> Result<Report, CliError> {
    let began = Instant::now();
    let (info, mut client) = start(demo, &demo.example.join("blue-green"), state, board).await?;
    first_versions(&mut client, 1, board).await?;
    let rate = demo.rate.max(3) / 3;
    let users = start_load(program, &info.router, rate * 2, &["--service", "churn"])?;
    let testers = start_load(program, &info.router, rate, &["--service", "churn", "--host", PREVIEW])?;
    board.say(&format!("{} requests a second come from users, {rate} from testers to {PREVIEW}", rate * 2));
    settle(&mut client, board, Duration::from_secs_f64((20.0 / demo.speed).max(1.0))).await?;
    let mut stage = Stage { client: &mut client, board, speed: demo.speed };

    let failing = stage.update(FAILING, Expected::RolledBack, "asks a table that ends too early").await?;
    let mut good = stage.deploy(GOOD, Expected::Promoted, "the same model with a whole table").await?;
    let mut returned_us = None;
    if stage.until(&mut good, RolloutView::waits_for_person).await? {
        stage.board.say(&format!("the testers are content: `serin promote {SERVICE}`"));
        let promote = Request::Promote { service: SERVICE.to_owned(), full: false };
        let outcomes: Vec<Outcome> = stage.client.ask(&promote).await?;
        returned_us = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|d| d.as_micros());
        outcomes.iter().for_each(|o| stage.board.say(&o.message));
    }
    stage.until(&mut good, |view| is_promoted(view, GOOD)).await?;
    settle(&mut client, board, AFTERWARDS).await?;
    board.clear();
    let (users, testers) = (Asked::new(users.finish()), Asked::new(testers.finish()));
    Ok(Report::new(vec![failing, good], users, testers, returned_us, demo.speed, began.elapsed()))
}

/// Where the play takes place.
struct Stage<'a> {
    client: &'a mut Client,
    board: &'a mut Board,
    speed: f64,
}

impl Stage<'_> {
    async fn deploy(&mut self, version: &str, expected: Expected, what: &str) -> Result<Update, CliError> {
        let request = Request::Deploy { service: SERVICE.to_owned(), version: version.to_owned(), container: None };
        let _: Vec<Outcome> = self.client.ask(&request).await?;
        self.board.say(&format!("deployed {SERVICE} {version}: {what}; it should be {}", expected.words()));
        Ok(Update {
            service: SERVICE.to_owned(),
            version: version.to_owned(),
            expected,
            outcome: None,
            reason: String::new(),
            seconds: 0.0,
            verdicts: Vec::new(),
        })
    }

    /// Deploys a version and watches it to its end.
    async fn update(&mut self, version: &str, expected: Expected, what: &str) -> Result<Update, CliError> {
        let mut update = self.deploy(version, expected, what).await?;
        self.until(&mut update, |_| false).await?;
        Ok(update)
    }

    /// Watches until the view fits, or until the version has its end; whether it fits.
    async fn until(&mut self, update: &mut Update, fits: impl Fn(&RolloutView) -> bool) -> Result<bool, CliError> {
        let began = Instant::now();
        loop {
            let now = views(self.client).await?;
            for event in self.client.ask::<Vec<EventRecord>>(&Request::Events { service: None, count: 60 }).await? {
                self.board.event(&event);
            }
            self.board.show(&now);
            let Some(view) = now.first() else { return Ok(false) };
            let elapsed = began.elapsed().as_secs_f64() * self.speed;
            let fit = fits(view);
            let ended = end(view, &update.version);
            if fit || ended.is_some() || elapsed > LAST_S as f64 {
                update.seconds += elapsed;
                update.see(view, ended);
                return Ok(fit);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Update {
    fn see(&mut self, view: &RolloutView, outcome: Option<Expected>) {
        self.outcome = outcome;
        self.reason = match outcome {
            Some(Expected::Promoted) => "validated before and after its switch".to_owned(),
            _ => view.message.clone(),
        };
        let pool = view.pools.iter().find(|p| tag(&p.image) == self.version);
        self.verdicts = verdicts(view.runs.iter().filter(|run| pool.is_some_and(|p| p.hash == run.hash)));
    }
}

fn is_promoted(view: &RolloutView, version: &str) -> bool {
    view.phase == "Healthy" && view.promoted && tag(&view.stable_image) == version
}

/// How an update to this version ended, if it did.
fn end(view: &RolloutView, version: &str) -> Option<Expected> {
    if tag(&view.image) != version {
        return None;
    }
    let rolled_back = view.aborted && view.weight.actual == Some(0);
    is_promoted(view, version).then_some(Expected::Promoted).or(rolled_back.then_some(Expected::RolledBack))
}

impl Report {
    fn new(
        updates: Vec<Update>,
        users: Asked,
        testers: Asked,
        returned_us: Option<u128>,
        speed: f64,
        took: Duration,
    ) -> Self {
        let last = users.last_sent_us(STABLE).zip(returned_us);
        let last_ms = last.map(|(sent, returned)| (sent as f64 - returned as f64) / 1e3);
        let none_after = last_ms.is_some_and(|ms| ms < 0.0);
        let as_asked = updates.iter().all(|u| u.outcome == Some(u.expected));
        let switched = none_after && users.answers_of(GOOD) > 0;
        let spared = users.failed == 0 && users.answers_of(FAILING) == 0 && testers.answers_of(FAILING) > 0;
        Self {
            as_expected: as_asked && switched && spared,
            speed,
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            updates,
            users_on_failing_version: users.answers_of(FAILING),
            last_on_former_version_ms: last_ms,
            none_on_former_version_after_promote: none_after,
            users,
            testers,
        }
    }

    /// Whether everybody got what was expected.
    pub(super) fn as_expected(&self) -> bool {
        self.as_expected
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let row = |u: &Update| {
            let outcome = u.outcome.map_or("no outcome", Expected::words).to_owned();
            vec![u.version.clone(), outcome, age((u.seconds * 1000.0) as i64), u.reason.clone()]
        };
        let rows: Vec<Vec<String>> = self.updates.iter().map(row).collect();
        let versions = |asked: &Asked| {
            let counts: Vec<String> =
                [STABLE, FAILING, GOOD].iter().map(|v| format!("{} by {v}", asked.answers_of(v))).collect();
            format!("{} requests, {} failed; answered: {}", asked.sent, asked.failed, counts.join(", "))
        };
        let last = match self.last_on_former_version_ms {
            Some(ms) if ms < 0.0 => {
                format!(
                    "No request sent after promote returned reached {STABLE}; its last was sent {:.1} ms before.",
                    -ms
                )
            }
            Some(ms) => format!("A request sent {ms:.1} ms after promote returned reached {STABLE}."),
            None => "There was no switch.".to_owned(),
        };
        let verdict = if self.as_expected { "As expected" } else { "NOT as expected" };
        [
            String::new(),
            output::table(&["VERSION", "OUTCOME", "AFTER", "REASON"], &rows),
            String::new(),
            format!("Users:   {}", versions(&self.users)),
            format!("Testers: {}", versions(&self.testers)),
            last,
            String::new(),
            format!("{verdict}, in {:.0} s ({}x clock).", self.seconds, self.speed),
        ]
        .join("\n")
    }
}
