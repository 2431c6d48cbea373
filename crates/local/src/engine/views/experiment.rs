//! Experiments as plain data for people and machines.

use serin_core::{Hash, Span, Time};
use serin_spec::wire::experiment::ExperimentTemplate;

use super::run_view;
use crate::engine::Engine;
use crate::engine::experiments::event_object;
use crate::experiment::ExperimentState;
use crate::model::Key;
use crate::view::{ExperimentTemplateView, ExperimentView, ReasonView};

impl Engine {
    /// The experiments that a rollout made, newest first.
    pub(super) fn experiment_views(&self, rollout: &Key) -> Vec<ExperimentView> {
        let mut mine: Vec<(&Key, &ExperimentState)> =
            self.experiments.iter().filter(|(_, e)| e.belongs_to(rollout)).collect();
        mine.sort_by_key(|(name, e)| (std::cmp::Reverse(e.created), name.name.clone()));
        mine.into_iter().map(|(key, _)| self.experiment_view(key, 0)).collect()
    }

    /// One experiment, with so many of its latest events.
    pub(in crate::engine) fn experiment_view(&self, key: &Key, events: usize) -> ExperimentView {
        let Some(e) = self.experiments.get(key) else { return ExperimentView::default() };
        let status = &e.status;
        let lowered = serin_spec::lower::experiment(&e.object, status, &|_| None);
        let ends_at = status.available_at.filter(|_| !status.is_completed()).zip(lowered.duration);
        let run = |name: &String| {
            let run = self.runs.get(&key.beside(name))?;
            Some(run_view(name, run))
        };
        ExperimentView {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            rollout: e.owner.as_ref().map(|(owner, _)| owner.to_string()),
            phase: status.phase.map_or_else(String::new, |p| p.as_str().to_owned()),
            message: status.message.clone(),
            now_ms: self.now().as_millis(),
            created_ms: e.created.as_millis(),
            available_at_ms: status.available_at.map(Time::as_millis),
            ends_at_ms: ends_at.map(|(at, length): (Time, Span)| (at + length).as_millis()),
            terminating: e.object.spec.terminate,
            templates: e.object.spec.templates.iter().map(|t| self.template_view(key, e, t)).collect(),
            runs: status.analyses.iter().filter_map(|a| run(&a.run)).collect(),
            reasons: e.reasons.iter().map(|r| ReasonView { code: r.code().to_owned(), text: r.to_string() }).collect(),
            wake_at_ms: e.wake_at.map(Time::as_millis),
            events: match events {
                0 => Vec::new(),
                count => self.store.events(Some(&event_object(key)), count).unwrap_or_default(),
            },
        }
    }

    fn template_view(&self, key: &Key, e: &ExperimentState, wire: &ExperimentTemplate) -> ExperimentTemplateView {
        let status = e.status.template(&wire.name);
        let pool = e.pool(&wire.name);
        let image = wire.template.containers().first().map_or_else(String::new, |c| c.image.clone());
        let seen = pool.map(|p| self.version_staffing(key, p)).unwrap_or_default();
        let set = Key::of_version(key, &wire.name);
        ExperimentTemplateView {
            name: wire.name.clone(),
            hash: pool.map_or_else(String::new, |p| p.hash.to_string()),
            image,
            phase: status.map_or_else(String::new, |s| s.phase.as_str().to_owned()),
            message: status.map_or_else(String::new, |s| s.message.clone()),
            size: pool.map_or(0, |p| p.size),
            ready: seen.ready,
            available: seen.available,
            service: e.services.iter().find(|(_, version)| **version == wire.name).map(|(name, _)| name.clone()),
            weight: pool.and_then(|p| self.weight_of(e, &p.hash)),
            scale_down_at_ms: pool.and_then(|p| p.scale_down_at).map(Time::as_millis),
            members: pool.map_or_else(Vec::new, |p| self.member_rows(&set, &p.hash)),
        }
    }

    /// The share of its rollout's requests that a version should get.
    fn weight_of(&self, e: &ExperimentState, hash: &Hash) -> Option<u32> {
        let (owner, _) = e.owner.as_ref()?;
        let split = self.workloads.get(owner)?.split.as_ref()?;
        split.experiment.iter().find(|d| d.hash == *hash).map(|d| d.weight)
    }
}
