//! `status`: the phase, once or until it is final.

use std::process::ExitCode;

use serin_cluster::resource::ROLLOUT;
use serin_controller::Object;
use serin_kubectl::phase;
use tokio::time::{Instant, timeout_at};

use super::PluginError;
use super::arguments::Status;
use crate::cluster::follow::Follow;
use crate::cluster::{Cluster, now};
use crate::output::line;

//= compat: 7.3-4, 7.3-5, 7.3-6, 10.48
pub(super) async fn run(cluster: &Cluster, asked: &Status) -> Result<ExitCode, PluginError> {
    let gone = || PluginError::Said(format!("rollout.argoproj.io \"{}\" not found", asked.name));
    if !asked.watch {
        let rollout = cluster.get(ROLLOUT, &asked.name).await?.ok_or_else(gone)?;
        let (phase, message) = phase::of(&rollout, now());
        match phase.as_str() {
            "Healthy" | "Degraded" => line(&phase),
            _ => line(format!("{phase} - {message}")),
        }
        return verdict(&phase, &message, true);
    }
    let end = (!asked.timeout.is_zero()).then(|| Instant::now() + asked.timeout);
    let follow = Follow::start(&cluster.client, Some(&cluster.namespace), &[ROLLOUT]).await?;
    let is_asked = |rollout: &Object| rollout.name() == asked.name;
    let mut told = String::new();
    loop {
        let rollout = follow.all(ROLLOUT).into_iter().find(is_asked).ok_or_else(gone)?;
        let (phase, message) = phase::of(&rollout, now());
        let says = if message.is_empty() { phase.clone() } else { format!("{phase} - {message}") };
        if says != told {
            line(&says);
            told = says;
        }
        if matches!(phase.as_str(), "Healthy" | "Degraded") {
            return verdict(&phase, &message, false);
        }
        match end {
            None => follow.changed().await,
            Some(end) if timeout_at(end, follow.changed()).await.is_ok() => {}
            Some(_) => return verdict(&phase, &message, false),
        }
    }
}

/// What scripts go by; `open` takes a rollout that is under way for well.
//= compat: 7.3-5
fn verdict(phase: &str, message: &str, open: bool) -> Result<ExitCode, PluginError> {
    match phase {
        "Degraded" => Err(PluginError::Said(format!("The rollout is in a degraded state with message: {message}"))),
        "Healthy" => Ok(ExitCode::SUCCESS),
        _ if open => Ok(ExitCode::SUCCESS),
        _ => Err(PluginError::Said("Rollout status watch exceeded timeout".to_owned())),
    }
}
