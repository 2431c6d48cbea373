//! Switches of a blue-green rollout's services: what the router was read back to carry, and answers that wait for it, so that
//! no request reaches the former version once a command has returned.

use std::time::{Duration, Instant};

use serde_json::Value;
use serin_core::Hash;
use serin_core::world::Service;
use tokio::sync::oneshot;

use super::Engine;
use crate::LocalError;
use crate::model::{Key, Workload};
use crate::protocol::{Answer, Outcome, Refusal, Request};
use crate::request::pool_image;
use crate::route;

/// Longest wait of an answer for the router. A switch takes it milliseconds, and one that was killed is back within a second;
/// whoever asked should hear of one that hangs while they still watch.
const CARRIED_WITHIN: Duration = Duration::from_secs(15);

/// An answer that waits until the router carries what the request led to.
pub(super) struct Held {
    answer: Answer,
    to: oneshot::Sender<Answer>,
    /// The rollouts, with what their active services led to before.
    rollouts: Vec<(Key, Option<Hash>)>,
    until: Instant,
}

impl Engine {
    /// A workload's services and the pools they lead to. Those of a blue-green rollout lead where the router was read back to
    /// send their requests; while it is not there, where they were last seen to.
    pub(super) fn services(&self, workload: &Workload) -> Vec<Service> {
        let blue_green = workload.rollout.blue_green();
        let key = workload.key();
        let seen = |name: &str| {
            let active = blue_green?.active_service == name;
            let status = &workload.status.blue_green;
            let last = if active { &status.active } else { &status.preview };
            let route = route::service_route_name(&key.beside(name), Some(workload));
            self.link.leads_to(&route).or_else(|| last.clone())
        };
        let service = |(name, target): (&String, &Option<Hash>)| {
            let selects = match (target, blue_green) {
                // Nobody was told to switch it yet.
                (None, _) => None,
                (Some(_), Some(_)) => seen(name),
                (Some(target), None) => Some(target.clone()),
            };
            Service { name: name.clone(), selects }
        };
        workload.services.iter().map(service).collect()
    }

    /// Where a blue-green rollout's active service was read back to lead; `None` for other rollouts.
    pub(super) fn active(&self, workload: &Workload) -> Option<Hash> {
        let name = &workload.rollout.blue_green()?.active_service;
        self.services(workload).into_iter().find(|s| s.name == *name)?.selects
    }

    /// The blue-green rollouts that a request may switch, with what their active services lead to now.
    pub(super) fn switched_by(&self, request: &Request) -> Vec<(Key, Option<Hash>)> {
        let service = match request {
            Request::Deploy { service, .. }
            | Request::Promote { service, .. }
            | Request::Rollback { service }
            | Request::Abort { service }
            | Request::Retry { service }
            | Request::Undo { service, .. } => service,
            _ => return Vec::new(),
        };
        // One that cannot be resolved is refused by the request itself.
        let keys = self.resolve(Some(service)).unwrap_or_default();
        let known = keys.into_iter().filter_map(|key| Some((self.workloads.get(&key)?, key)));
        known.filter(|(w, _)| w.rollout.blue_green().is_some()).map(|(w, key)| (key, self.active(w))).collect()
    }

    /// Answers at once, or once the router carries the outcome for these rollouts.
    pub(super) fn answer_when_carried(
        &mut self,
        answer: Answer,
        to: oneshot::Sender<Answer>,
        rollouts: Vec<(Key, Option<Hash>)>,
    ) {
        if rollouts.is_empty() || matches!(answer, Answer::Error(_)) {
            // The asker may have left meanwhile.
            let _ = to.send(answer);
            return;
        }
        self.held.push(Held { answer, to, rollouts, until: Instant::now() + CARRIED_WITHIN });
    }

    /// Gives the answers that waited long enough; the last time, all of them.
    pub(super) fn release(&mut self, last: bool) {
        let now = Instant::now();
        for held in std::mem::take(&mut self.held) {
            let open = held.rollouts.iter().any(|(key, _)| !self.is_carried(key));
            if open && now < held.until && !last {
                self.held.push(held);
                continue;
            }
            let answer = match held.answer {
                Answer::Ok(value) if open => self.not_carried(&value),
                Answer::Ok(value) => Answer::Ok(self.with_switches(value, &held.rollouts)),
                error => error,
            };
            // The asker may have left meanwhile.
            let _ = held.to.send(answer);
        }
    }

    /// Whether a rollout was decided after everything that happened to it, and the router carries the outcome.
    fn is_carried(&self, key: &Key) -> bool {
        let Some(workload) = self.workloads.get(key) else { return true };
        let services = self.services(workload);
        !self.dirty.contains(key)
            && self.link.is_connected()
            && services.iter().all(|s| workload.services.get(&s.name) == Some(&s.selects))
    }

    /// The outcomes of a request, with what became of the users.
    fn with_switches(&self, value: Value, rollouts: &[(Key, Option<Hash>)]) -> Value {
        let Ok(mut outcomes) = serde_json::from_value::<Vec<Outcome>>(value.clone()) else { return value };
        for (key, before) in rollouts {
            let Some(outcome) = outcomes.iter_mut().find(|o| o.rollout == key.to_string()) else { continue };
            let Some((workload, blue_green)) = self.workloads.get(key).and_then(|w| Some((w, w.rollout.blue_green()?)))
            else {
                continue;
            };
            let name = &blue_green.active_service;
            let now = self.active(workload);
            if now != *before
                && let Some(pool) = now.as_ref().and_then(|hash| workload.pool(hash))
            {
                outcome.message += &format!("; {name} leads to {} now", pool_image(pool));
            } else if workload.status.blue_green.checkpoint && now.as_ref() != Some(&workload.rollout.hash) {
                let wanted = workload.rollout.replicas;
                outcome.message += &format!("; {name} is switched once all {wanted} members are available");
            }
        }
        serde_json::to_value(&outcomes).unwrap_or(value)
    }

    /// What was asked for is durable, but whoever asked must not take the users to be where they are not.
    fn not_carried(&self, value: &Value) -> Answer {
        let outcomes: Vec<Outcome> = serde_json::from_value(value.clone()).unwrap_or_default();
        let done: Vec<String> = outcomes.into_iter().map(|o| o.message).collect();
        let (why, hint) = match &self.blocked {
            Some(why) => (why.clone(), "it goes on when the state can be written"),
            None => (
                "the router does not carry it yet".to_owned(),
                "it goes on when the router is back: see `serin explain`",
            ),
        };
        let error = LocalError::NotNow { message: format!("{}; {why}", done.join("; ")), hint: Some(hint.to_owned()) };
        Answer::Error(Refusal { message: error.to_string(), hint: error.hint(), class: error.class() })
    }
}
