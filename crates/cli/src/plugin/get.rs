//! `get rollout` and `get experiment`: the tree, once or again and again.

use std::process::ExitCode;
use std::time::Duration;

use serin_cluster::resource::{ANALYSIS_RUN, EXPERIMENT, POD, REPLICA_SET, ROLLOUT, Resource};
use serin_controller::Object;
use serin_kubectl::info::{ExperimentInfo, RolloutInfo};
use serin_kubectl::{Family, Paint, screen};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::arguments::{GetOne, GetRollout};
use super::{PluginError, paint};
use crate::cluster::follow::Follow;
use crate::cluster::{Cluster, now};
use crate::output;

/// Ages are drawn anew this often.
const REDRAW: Duration = Duration::from_secs(1);

/// More often nobody can read.
const LEAST: Duration = Duration::from_millis(200);

/// A screen of an object and what it owns.
type Draw = fn(&Object, &Family, Paint) -> String;

fn rollout_screen(rollout: &Object, family: &Family, paint: Paint) -> String {
    let now = now();
    screen::rollout(&RolloutInfo::of(rollout, family, now), now, paint)
}

fn experiment_screen(experiment: &Object, family: &Family, paint: Paint) -> String {
    screen::experiment(&ExperimentInfo::of(experiment, family), now(), paint)
}

//= compat: 7.2-1
pub(super) async fn rollout(cluster: &Cluster, get: &GetRollout) -> Result<ExitCode, PluginError> {
    let end = (get.timeout_seconds > 0).then(|| Instant::now() + Duration::from_secs(get.timeout_seconds));
    show(cluster, ROLLOUT, &get.one, rollout_screen, end).await
}

pub(super) async fn experiment(cluster: &Cluster, get: &GetOne) -> Result<ExitCode, PluginError> {
    show(cluster, EXPERIMENT, get, experiment_screen, None).await
}

async fn show(
    cluster: &Cluster,
    kind: Resource,
    get: &GetOne,
    draw: Draw,
    end: Option<Instant>,
) -> Result<ExitCode, PluginError> {
    let gone = || {
        let message = format!("{}.argoproj.io \"{}\" not found", kind.kind.to_lowercase(), get.name);
        PluginError::Said(message)
    };
    if get.watch {
        return watch(cluster, kind, get, draw, end, gone).await;
    }
    let object = cluster.get(kind, &get.name).await?.ok_or_else(gone)?;
    let family = cluster.family().await?;
    output::text(&draw(&object, &family, paint(get.no_color)));
    Ok(ExitCode::SUCCESS)
}

/// Draws until the time is over, the object is gone, or somebody leaves.
//= compat: 7.2-9
async fn watch(
    cluster: &Cluster,
    kind: Resource,
    get: &GetOne,
    draw: Draw,
    end: Option<Instant>,
    gone: impl Fn() -> PluginError,
) -> Result<ExitCode, PluginError> {
    let kinds = [ROLLOUT, REPLICA_SET, POD, EXPERIMENT, ANALYSIS_RUN];
    let follow = Follow::start(&cluster.client, Some(&cluster.namespace), &kinds).await?;
    loop {
        let object = follow.all(kind).into_iter().find(|object| object.name() == get.name).ok_or_else(&gone)?;
        let family = Family {
            replica_sets: follow.all(REPLICA_SET),
            pods: follow.all(POD),
            experiments: follow.all(EXPERIMENT),
            runs: follow.all(ANALYSIS_RUN),
        };
        let drawn = Instant::now();
        output::text(&format!("\u{1b}[H\u{1b}[2J\u{1b}[0;0H{}", draw(&object, &family, paint(get.no_color))));
        let next = async {
            // Whichever comes first, but never before the reader has seen the last picture.
            let _ = timeout_at(drawn + REDRAW, follow.changed()).await;
            sleep_until(drawn + LEAST).await;
        };
        match end {
            None => next.await,
            Some(end) if timeout_at(end, next).await.is_ok() => {}
            Some(_) => return Ok(ExitCode::SUCCESS),
        }
    }
}
