//! What the log of an update is told: looks before they are written to their run, decisions that were carried out, and which looks a run ended with.

use serin_controller::observe::View;
use serin_controller::{Ahead, Cluster, Object};
use serin_core::analysis::{RunKind, RunStatus};
use serin_core::{Action, Decision, Span, Split, Time};
use serin_providers::sequential::log::{self, Entry, Event, Place, Settled, Update, Version};
use serin_providers::sequential::{Look, Taken};
use serin_spec::arguments::{self, Filled};
use serin_spec::recipe;
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::keys::{HASH_LABEL, REVISION};
use serin_spec::wire::{AnalysisRun, Rollout};

use super::{Evidence, Work};
use crate::error::Error;
use crate::measure::sequential::rollout_of;
use crate::resource::REPLICA_SET;
use crate::shared::Shared;
use crate::store::Name;

/// How long ago a run may have ended that this process did not look at, for its end to be logged: the last process had no time to.
const RECENT: Span = Span::from_secs(600);

/// A run that is logged.
#[derive(Debug, Clone)]
pub(super) struct LoggedRun {
    uid: String,
    update: Update,
    concluded: bool,
}

impl Evidence {
    /// Logs a look at a run of a rollout. Whether it could be written changes nothing of the look.
    pub(crate) async fn look(
        &self,
        shared: &Shared,
        run: &AnalysisRun,
        look: &Look<'_>,
        filled: Option<&Filled>,
        taken: &[Taken],
    ) {
        let Some(LoggedRun { update, .. }) = self.run(shared, run).await else { return };
        let Ok(masked) = arguments::fill_masked(&run.spec) else { return };
        let redact = |text: &str| filled.map_or_else(|| text.to_owned(), |filled| filled.redact(text));
        let name = run.metadata.name();
        let kind = run.metadata.labels.get("rollout-type").map_or("", String::as_str);
        let begun = log::begun(name, kind, look.now.as_millis(), &masked).going_on(look.spec, look.status);
        let mut entries = vec![Entry::Run(Box::new(begun))];
        entries.extend(log::looked(look, name, 0, taken, &redact));
        self.write(update, entries).await;
    }

    /// Logs how a run is seen to have ended: it may be by a look whose write was thought to have failed.
    pub(crate) async fn conclude(&self, shared: &Shared, run: &AnalysisRun, status: &RunStatus) {
        let name = Name::new(run.metadata.namespace(), run.metadata.name());
        let recent = status.completed.is_none_or(|at| shared.now().since(at) <= RECENT);
        let is_meant = recent || self.runs.borrow().contains_key(&name);
        if !is_meant || !run.spec.metrics.iter().any(recipe::is_sequential) {
            return;
        }
        let known = self.run(shared, run).await.filter(|known| !known.concluded);
        let (Some(LoggedRun { update, .. }), Ok(masked)) = (known, arguments::fill_masked(&run.spec)) else { return };
        let spec = serin_spec::lower::run_spec(&masked);
        let concluded = log::concluded(&name.name, &spec, status);
        let entries =
            vec![Entry::Ended(Event::run_ended(&name.name, status, concluded.at_ms)), Entry::Concluded(concluded)];
        if self.send(Work { update, entries, begins: false, done: None })
            && let Some(known) = self.runs.borrow_mut().get_mut(&name)
        {
            known.concluded = true;
        }
    }

    /// Logs a decision that was carried out, if the rollout is on its way to a version that sequential metrics judge.
    pub(crate) fn decided(
        &self,
        shared: &Shared,
        cluster: &Cluster,
        view: &View,
        ahead: &Ahead,
        run_spec: &dyn Fn(RunKind) -> Result<AnalysisRunSpec, String>,
        now: Time,
    ) {
        let rollout = &cluster.rollout;
        let hash = view.world.rollout.hash.as_str();
        let pools = shared.store.borrow().owned(REPLICA_SET, rollout.metadata.uid.as_deref().unwrap_or_default());
        let stable = ahead.decision.status.stable.as_ref().map(serin_core::Hash::as_str);
        let Some(update) = update(rollout, &pools, hash, stable) else { return };
        let tested = || recipe::total(view.world.rollout.steps(), &|kind| run_spec(kind).ok()) > 0.0;
        let begins = update.stable.hash != hash && tested();
        let at_ms = now.as_millis();
        let events = ahead.events().into_iter().map(|event| Event {
            at_ms,
            reason: event.reason.to_owned(),
            message: event.message,
            warning: event.warning,
        });
        let settled = Settled { at_ms, place: place(view, &ahead.decision), events: events.collect() };
        self.send(Work { update, entries: vec![Entry::Settled(settled)], begins, done: None });
    }

    /// Forgets a run that has gone.
    pub(crate) fn forget(&self, run: &Name) {
        self.runs.borrow_mut().remove(run);
    }

    /// What is known of a run of a rollout; `None` for another one.
    async fn run(&self, shared: &Shared, run: &AnalysisRun) -> Option<LoggedRun> {
        let uid = run.metadata.uid.clone().unwrap_or_default();
        let name = Name::new(run.metadata.namespace(), run.metadata.name());
        if let Some(known) = self.runs.borrow().get(&name).filter(|known| known.uid == uid) {
            return Some(known.clone());
        }
        let update = match update_of(shared, run).await {
            Ok(update) => update?,
            Err(error) => {
                tracing::debug!(run = %name, %error, "it is not known which update the run judges; this look is not logged");
                return None;
            }
        };
        let known = LoggedRun { uid, update, concluded: false };
        self.runs.borrow_mut().insert(name, known.clone());
        Some(known)
    }
}

/// The update that a run judges, from its rollout and that one's ReplicaSets; they are asked for where they are not followed.
async fn update_of(shared: &Shared, run: &AnalysisRun) -> Result<Option<Update>, Error> {
    let Some(hash) = run.metadata.labels.get(HASH_LABEL) else { return Ok(None) };
    let Some(rollout) = rollout_of(shared, run).await? else { return Ok(None) };
    let uid = rollout.metadata.uid.clone().unwrap_or_default();
    let stable = rollout.status.as_ref().and_then(|status| status.stable_rs.clone()).unwrap_or_default();
    let pools = match shared.settings.analysis_only {
        false => shared.store.borrow().owned(REPLICA_SET, &uid),
        true => {
            let selector = format!("{HASH_LABEL} in ({hash},{stable})");
            let namespace = rollout.metadata.namespace();
            let mut pools = shared.client.list(REPLICA_SET, Some(namespace), &selector).await?;
            pools.retain(|pool| pool.controller().is_some_and(|owner| owner.uid == uid));
            pools
        }
    };
    Ok(update(&rollout, &pools, hash, Some(&stable)))
}

/// The update of a rollout to this version.
fn update(rollout: &Rollout, pools: &[Object], hash: &str, stable: Option<&str>) -> Option<Update> {
    let pool = |hash: &str| pools.iter().find(|pool| pool.label(HASH_LABEL) == Some(hash));
    let canary = pool(hash)?;
    let stable = stable.filter(|stable| !stable.is_empty())?;
    let version = |hash: &str, pool: Option<&Object>| Version {
        hash: hash.to_owned(),
        image: pool.map_or_else(String::new, |pool| {
            let image = &pool.0["spec"]["template"]["spec"]["containers"][0]["image"];
            image.as_str().unwrap_or_default().to_owned()
        }),
    };
    Some(Update {
        format: log::FORMAT,
        serin: env!("CARGO_PKG_VERSION").to_owned(),
        rollout: format!("{}/{}", rollout.metadata.namespace(), rollout.metadata.name()),
        revision: canary.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0),
        canary: version(hash, Some(canary)),
        stable: version(stable, pool(stable)),
        begun_ms: canary.created().as_millis(),
        speed: 1.0,
    })
}

fn place(view: &View, decision: &Decision) -> Place {
    let decided = decision.actions.iter().find_map(|action| match action {
        Action::SetSplit(split) => Some(split),
        _ => None,
    });
    let split: Option<&Split> = decided.or(view.world.split.as_ref());
    Place::of(&view.world.rollout, &decision.status, split)
}
