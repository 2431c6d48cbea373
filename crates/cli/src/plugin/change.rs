//! The verbs that change something, each with the line that scripts look for.

use std::process::ExitCode;

use serin_cluster::resource::ROLLOUT;
use serin_core::Time;
use serin_kubectl::verb::{self, How, Undone};
use serin_kubectl::{Change, VerbError};

use super::PluginError;
use super::arguments::{Promote, Restart, Undo};
use crate::cluster::{Cluster, now};
use crate::output::line;

type Done = Result<ExitCode, PluginError>;

/// The same change of several objects, one after the other; the first that fails ends it.
async fn each(cluster: &Cluster, names: &[String], change: fn(&str, &str) -> Change, said: (&str, &str)) -> Done {
    for name in names {
        cluster.change(&change(&cluster.namespace, name)).await?;
        line(format!("{} '{name}' {}", said.0, said.1));
    }
    Ok(ExitCode::SUCCESS)
}

//= compat: 7.4-1, 7.1-2
pub(super) async fn abort(cluster: &Cluster, names: &[String]) -> Done {
    each(cluster, names, verb::abort, ("rollout", "aborted")).await
}

//= compat: 7.4-3
pub(super) async fn pause(cluster: &Cluster, names: &[String]) -> Done {
    each(cluster, names, verb::pause, ("rollout", "paused")).await
}

//= compat: 7.4-2
pub(super) async fn retry_rollouts(cluster: &Cluster, names: &[String]) -> Done {
    each(cluster, names, verb::retry_rollout, ("rollout", "retried")).await
}

//= compat: 7.4-2
pub(super) async fn retry_experiments(cluster: &Cluster, names: &[String]) -> Done {
    each(cluster, names, verb::retry_experiment, ("experiment", "retried")).await
}

//= compat: 7.4-6
pub(super) async fn terminate_runs(cluster: &Cluster, names: &[String]) -> Done {
    let terminate = |namespace: &str, name: &str| verb::terminate("AnalysisRun", namespace, name);
    each(cluster, names, terminate, ("analysisRun", "terminated")).await
}

//= compat-differs: 10.47 an experiment that was terminated is said to be terminated, and a duration that is none is an error
pub(super) async fn terminate_experiments(cluster: &Cluster, names: &[String]) -> Done {
    let terminate = |namespace: &str, name: &str| verb::terminate("Experiment", namespace, name);
    each(cluster, names, terminate, ("experiment", "terminated")).await
}

//= compat: 7.5-1
pub(super) async fn promote(cluster: &Cluster, asked: &Promote) -> Done {
    if asked.skip_current_step {
        eprintln!(
            "Flag --skip-current-step has been deprecated, use without the flag instead ex: promote ROLLOUT_NAME"
        );
    }
    if asked.skip_all_steps {
        eprintln!("Flag --skip-all-steps has been deprecated, use --full instead");
    }
    let how = match (asked.skip_current_step, asked.skip_all_steps, asked.full) {
        (true, true, _) => return Err(VerbError::SkipBoth.into()),
        (true, false, _) => How::SkipStep,
        (false, true, _) => How::SkipSteps,
        (false, false, true) => How::Full,
        (false, false, false) => How::On,
    };
    let rollout = cluster.rollout(&asked.name).await?;
    cluster.change(&verb::promote(&rollout, how)?).await?;
    let fully = if asked.full { "fully " } else { "" };
    line(format!("rollout '{}' {fully}promoted", asked.name));
    Ok(ExitCode::SUCCESS)
}

//= compat: 7.4-4
pub(super) async fn restart(cluster: &Cluster, asked: &Restart) -> Done {
    let wrong = |why: &str| PluginError::Said(format!("failed to restart rollout '{}': {why}", asked.name));
    let ms = serin_spec::duration::parse_ms(&asked.within).map_err(|e| wrong(&e.to_string()))?;
    let at = Time::from_millis(now().as_millis().saturating_add(ms));
    cluster.change(&verb::restart(&cluster.namespace, &asked.name, at)).await?;
    line(format!("rollout '{}' restarts in {}", asked.name, asked.within));
    Ok(ExitCode::SUCCESS)
}

//= compat: 7.4-5
pub(super) async fn undo(cluster: &Cluster, asked: &Undo) -> Done {
    let rollout = cluster.rollout(&asked.name).await?;
    let sets = cluster.replica_sets(&rollout).await?;
    let holder = cluster.holder(&rollout).await?;
    match verb::undo(&rollout, Some(&holder), &sets, asked.to_revision)? {
        Undone::Already(revision) => {
            line(format!("skipped rollback (current template already matches revision {revision})"));
        }
        Undone::To(revision, write) => {
            let failed =
                |error| PluginError::Said(format!("failed restoring revision {revision}: {}", super::said(&error)));
            cluster.client.send(&write).await.map_err(failed)?;
            line(format!("rollout '{}' undo", asked.name));
        }
    }
    Ok(ExitCode::SUCCESS)
}

//= compat: 7.6-1
pub(super) async fn set_image(cluster: &Cluster, name: &str, (container, image): &(String, String)) -> Done {
    let read = async || -> Result<_, PluginError> { Ok(cluster.holder(&cluster.rollout(name).await?).await?) };
    let changed = cluster.retried(read, |holder| Ok(verb::set_image(holder, container, image)?)).await?;
    let kind = if changed.kind().is_empty() { ROLLOUT.kind } else { changed.kind() };
    line(format!("{} \"{}\" image updated", kind.to_lowercase(), changed.name()));
    Ok(ExitCode::SUCCESS)
}
