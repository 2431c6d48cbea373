//! What the log of an update is told: looks before they are made durable, and where decisions bring the rollout.

use serin_core::analysis::RunKind;
use serin_core::{Span, Time};
use serin_providers::sequential::log::folder::Written;
use serin_providers::sequential::log::{self, Entry, Event, Place, Settled, Update, Version};
use serin_providers::sequential::{Look, Taken};
use serin_spec::arguments::{self, Filled};

use super::decide::Settled as Decided;
use super::{Engine, RunKey};
use crate::model::{Key, RunState, Workload};
use crate::request::pool_image;
use crate::store::EventRecord;

impl Engine {
    /// Logs a look at a run of a rollout. Whether it could be written changes nothing of the look.
    pub(super) fn log_look(
        &mut self,
        name: &RunKey,
        run: &RunState,
        filled: Option<&Filled>,
        taken: &[Taken],
        now: Time,
    ) {
        let Some((key, update)) = run.owner.as_ref().and_then(|owner| self.update_of(owner, run.hash.as_str())) else {
            return;
        };
        let look = Look {
            filled: filled.map_or(&run.spec, |filled| &filled.spec),
            spec: &run.core,
            status: &run.status,
            window: self.window(run),
            now,
            every_min: Span::ZERO,
        };
        let redact = |text: &str| filled.map_or_else(|| text.to_owned(), |filled| filled.redact(text));
        let mut entries = Vec::new();
        if !self.logs.knows(&update.rollout, update.revision, &name.name)
            && let Ok(masked) = arguments::fill_masked(&run.spec)
        {
            let kind = run.kind.map_or("", RunKind::as_str);
            let begun = log::begun(&name.name, kind, now.as_millis(), &masked);
            entries.push(Entry::Run(Box::new(begun)));
        }
        entries.extend(log::looked(&look, &name.name, self.traffic.newest(), taken, &redact));
        self.log(&key, &update, entries);
    }

    /// Logs that a run has ended.
    pub(super) fn log_end(&mut self, run: &RunState, event: &EventRecord) {
        if let Some((key, update)) = run.owner.as_ref().and_then(|owner| self.update_of(owner, run.hash.as_str()))
            && self.logs.is_kept(&update.rollout, update.revision)
        {
            self.log(&key, &update, vec![Entry::Ended(told(event))]);
        }
    }

    /// Logs a decision, if the rollout is on its way to a version that sequential metrics judge.
    pub(super) fn log_decision(&mut self, key: &Key, decided: &Decided) {
        let workload = &decided.workload;
        let hash = workload.rollout.hash.as_str();
        let Some(update) = self.update(workload, hash) else { return };
        let is_kept = self.logs.is_kept(&update.rollout, update.revision);
        let begins = || update.stable.hash != hash && self.is_tested(workload);
        if !is_kept && !begins() {
            return;
        }
        let events = decided.events.iter().map(told).collect();
        let settled = Settled {
            at_ms: self.now().as_millis(),
            place: Place::of(&workload.rollout, &workload.status, workload.split.as_ref()),
            events,
        };
        self.log(key, &update, vec![Entry::Settled(settled)]);
    }

    fn log(&mut self, key: &Key, update: &Update, entries: Vec<Entry>) {
        if let Written::Failed(why) = self.logs.add(update, entries) {
            let message = format!("what is judged cannot be logged: {why}; the rollout goes on without");
            self.note_on(&key.to_string(), "EvidenceNotLogged", message, true);
        }
    }

    fn update_of(&self, owner: &Key, hash: &str) -> Option<(Key, Update)> {
        let update = self.update(self.workloads.get(owner)?, hash)?;
        Some((owner.clone(), update))
    }

    /// The update to this version.
    fn update(&self, workload: &Workload, hash: &str) -> Option<Update> {
        let pool = workload.pools.iter().find(|pool| pool.hash.as_str() == hash)?;
        let stable = workload.status.stable.as_ref()?;
        let stable_image = workload.pool(stable).map_or_else(String::new, pool_image);
        Some(Update {
            format: log::FORMAT,
            serin: env!("CARGO_PKG_VERSION").to_owned(),
            rollout: workload.key().to_string(),
            revision: pool.revision,
            canary: Version { hash: hash.to_owned(), image: pool_image(pool) },
            stable: Version { hash: stable.to_string(), image: stable_image },
            begun_ms: pool.created.as_millis(),
            speed: self.clock.speed,
        })
    }
}

fn told(event: &EventRecord) -> Event {
    let EventRecord { at_ms, reason, message, warning, .. } = event.clone();
    Event { at_ms, reason, message, warning }
}
