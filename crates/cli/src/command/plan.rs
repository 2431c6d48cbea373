//! `serin plan`: what every step and metric of an update can see, before anything runs.

mod text;

use std::process::ExitCode;

use serde::Serialize;
use serin_local::protocol::{Info, Request};
use serin_local::view::RolloutView;
use serin_spec::catalog::Entry;
use serin_spec::plan::{self as plans, Assumed};
use serin_spec::wire::Rollout;
use serin_spec::{Catalog, wire::ObjectMeta};

use super::lint;
use crate::arguments::{Format, Plan};
use crate::error::CliError;
use crate::output;
use crate::place::Place;

/// What is assumed of a stable version that nobody says anything of.
const STABLE_ERRORS: f64 = 0.005;

/// Where a figure is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum From {
    /// The command line.
    Given,
    /// The router, now.
    Router,
    /// Nobody says it.
    Assumed,
}

/// A plan and where its figures are from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    rate_from: From,
    stable_errors_from: From,
    #[serde(flatten)]
    plan: plans::Plan,
}

#[derive(Serialize)]
struct Report<'t> {
    rollouts: &'t [Told],
}

/// Asks the router of this machine for what is not given.
pub(super) async fn run(place: &mut Place, format: Format, wanted: &Plan) -> Result<ExitCode, CliError> {
    let catalog = read(wanted)?;
    let chosen = choose(&catalog, wanted)?;
    let seen = match wanted.rate {
        Some(_) => None,
        None => Some(Seen::ask(place).await?),
    };
    tell(&catalog, &chosen, wanted, seen.as_ref(), format)
}

/// On a cluster others route, and nobody here counts.
pub(super) fn on_cluster(wanted: &Plan, format: Format) -> Result<ExitCode, CliError> {
    let catalog = read(wanted)?;
    let chosen = choose(&catalog, wanted)?;
    tell(&catalog, &chosen, wanted, None, format)
}

fn read(wanted: &Plan) -> Result<Catalog, CliError> {
    let (sources, mut problems) = serin_spec::read::files(&wanted.files);
    let (catalog, found) = serin_local::check_for_cluster(&sources);
    problems.extend(found);
    lint::refuse(&problems, &sources, "planned")?;
    Ok(catalog)
}

fn choose<'c>(catalog: &'c Catalog, wanted: &Plan) -> Result<Vec<&'c Entry<Rollout>>, CliError> {
    let full = |meta: &ObjectMeta| format!("{}/{}", meta.namespace(), meta.name());
    let is_meant = |entry: &&Entry<Rollout>| {
        let meta = &entry.object.metadata;
        wanted.rollout.as_ref().is_none_or(|name| meta.name() == name || full(meta) == *name)
    };
    let chosen: Vec<_> = catalog.rollouts.iter().filter(is_meant).collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let names: Vec<String> = catalog.rollouts.iter().map(|entry| full(&entry.object.metadata)).collect();
    Err(match &wanted.rollout {
        Some(name) if !names.is_empty() => CliError::usage(
            format!("there is no Rollout {name:?} in these files"),
            format!("there is {}", names.join(", ")),
        ),
        _ => CliError::usage("there is no Rollout in these files", "give the folder in which the Rollout lies"),
    })
}

fn tell(
    catalog: &Catalog,
    chosen: &[&Entry<Rollout>],
    wanted: &Plan,
    seen: Option<&Seen>,
    format: Format,
) -> Result<ExitCode, CliError> {
    let mut told = Vec::new();
    for entry in chosen {
        let now = seen.map(|seen| seen.of(&entry.object.metadata)).transpose()?;
        let (rate, rate_from) = match (wanted.rate, now) {
            (Some(rate), _) => (rate, From::Given),
            (None, Some(now)) => (now.rate, From::Router),
            (None, None) => return Err(CliError::usage("nobody counts the requests here", RATE)),
        };
        let (stable_errors, stable_errors_from) = match (wanted.stable_errors, now.and_then(|now| now.errors)) {
            (Some(errors), _) => (errors, From::Given),
            (None, Some(errors)) => (errors, From::Router),
            (None, None) => (STABLE_ERRORS, From::Assumed),
        };
        let assumed = Assumed { rate, stable_errors, power: wanted.power };
        let plan = plans::plan(catalog, entry, assumed, &serin_providers::plan::share_of);
        let plan = plan.map_err(|error| {
            let message = format!("failed to plan {}: {error}", entry.ident());
            CliError::usage(message, "`serin lint` says where")
        })?;
        told.push(Told { rate_from, stable_errors_from, plan });
    }
    if !output::machine(format, &Report { rollouts: &told })? {
        output::text(&text::all(&told));
    }
    Ok(ExitCode::SUCCESS)
}

/// What to do where no traffic is seen.
const RATE: &str = "say how many requests a second the service gets: --rate 40";

/// What the router of this machine sees.
struct Seen {
    views: Vec<RolloutView>,
    /// How fast the clock runs.
    speed: f64,
}

/// What the router sees of one service.
#[derive(Clone, Copy)]
struct Now {
    rate: f64,
    errors: Option<f64>,
}

impl Seen {
    async fn ask(place: &mut Place) -> Result<Self, CliError> {
        let nobody = |_| CliError::usage("no control process runs here, so nobody sees any traffic", RATE);
        let info: Info = place.ask(&Request::Info).await.map_err(nobody)?;
        let views = place.ask(&Request::Status { service: None }).await?;
        Ok(Self { views, speed: info.speed })
    }

    /// The users' requests of a service, per second of the rollout's clock: pauses and intervals are lengths of that one.
    fn of(&self, meta: &ObjectMeta) -> Result<Now, CliError> {
        let view = self.views.iter().find(|view| view.name == meta.name() && view.namespace == meta.namespace());
        let users = |view: &&RolloutView| {
            view.traffic.iter().filter(|traffic| traffic.via.is_empty() || traffic.via == "active").cloned().collect()
        };
        let users: Vec<serin_local::view::TrafficView> = view.as_ref().map(users).unwrap_or_default();
        let rate = users.iter().map(|traffic| traffic.rate).sum::<f64>() / self.speed.max(f64::MIN_POSITIVE);
        if rate.is_nan() || rate <= 0.0 {
            let message = format!("the router sees no requests for {} now", meta.name());
            return Err(CliError::usage(message, RATE));
        }
        let stable: Option<&str> = view
            .and_then(|view| view.pools.iter().find(|pool| pool.role.split(',').any(|role| role.trim() == "stable")))
            .map(|pool| pool.hash.as_str());
        let of_stable = users.iter().find(|traffic| Some(traffic.version.as_str()) == stable && traffic.requests > 0);
        let errors =
            of_stable.map(|traffic| traffic.errors as f64 / traffic.requests as f64).filter(|share| *share < 1.0);
        Ok(Now { rate, errors })
    }
}
