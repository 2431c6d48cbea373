//! A blue-green rollout as plain data: where its services lead, and how far its update is.

use serin_core::analysis::RunPhase;
use serin_core::rollout::BlueGreen;
use serin_core::status::PauseReason;
use serin_core::{Hash, Span};

use super::Engine;
use crate::model::{PoolState, Workload};
use crate::request::pool_image;
use crate::view::{BlueGreenView, ReasonView, ServiceView, StepView};

/// What an update goes through, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Preview,
    PreAnalysis,
    Pause,
    Scale,
    Switch,
    PostAnalysis,
    Promoted,
}

impl Engine {
    /// The services; nothing for other strategies.
    pub(super) fn blue_green_view(&self, w: &Workload) -> Option<BlueGreenView> {
        let blue_green = w.rollout.blue_green()?;
        let services = self.services(w);
        let service = |name: &str| {
            let selects = services.iter().find(|s| s.name == name).and_then(|s| s.selects.as_ref());
            let pool = selects.and_then(|hash| w.pool(hash));
            ServiceView {
                name: name.to_owned(),
                host: format!("{name}.{}.localhost", w.object.metadata.namespace()),
                version: selects.map(Hash::to_string),
                image: pool.map_or_else(String::new, pool_image),
            }
        };
        Some(BlueGreenView {
            active: service(&blue_green.active_service),
            preview: blue_green.preview_service.as_deref().map(service),
            checkpoint: w.status.blue_green.checkpoint,
        })
    }

    /// What a pool is to a blue-green rollout: `stable`, `active`, `preview` with commas, `new` before it is any of them.
    pub(super) fn blue_green_role(&self, w: &Workload, pool: &PoolState) -> String {
        let view = self.blue_green_view(w).unwrap_or_default();
        let leads = |service: Option<&ServiceView>| {
            service.and_then(|s| s.version.as_deref()).is_some_and(|version| version == pool.hash.as_str())
        };
        let parts = [
            (w.status.stable.as_ref() == Some(&pool.hash), "stable"),
            (leads(Some(&view.active)), "active"),
            (leads(view.preview.as_ref()), "preview"),
        ];
        let parts: Vec<&str> = parts.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        match (parts.is_empty(), w.rollout.hash == pool.hash) {
            (true, true) => "new".to_owned(),
            _ => parts.join(","),
        }
    }

    /// The switches that were decided and that the router does not carry yet.
    pub(super) fn switches_under_way(&self, w: &Workload) -> Vec<ReasonView> {
        if w.rollout.blue_green().is_none() {
            return Vec::new();
        }
        let services = self.services(w);
        let waits = services.iter().filter_map(|s| {
            let target = w.services.get(&s.name)?.as_ref().filter(|target| s.selects.as_ref() != Some(target))?;
            let image = w.pool(target).map_or_else(|| target.to_string(), pool_image);
            let text = format!("the router does not lead {} to {image} yet", s.name);
            Some(ReasonView { code: "awaiting-router".to_owned(), text })
        });
        waits.collect()
    }
}

/// The stages of an update, and how many are over. A version that returns, or is promoted in full, skips to the switch.
pub fn stages(w: &Workload, blue_green: &BlueGreen, staffed: impl Fn(&Hash) -> u32) -> (Vec<StepView>, usize) {
    let stages = configured(w, blue_green);
    let now = current(w, blue_green, staffed);
    let over = stages.iter().filter(|(stage, _)| *stage < now).count();
    let state = |i: usize| match i.cmp(&over) {
        std::cmp::Ordering::Less => "done",
        std::cmp::Ordering::Equal if !w.status.abort => "current",
        _ => "waiting",
    };
    let view = |(i, (_, text)): (usize, (Stage, String))| StepView { text, state: state(i).to_owned() };
    (stages.into_iter().enumerate().map(view).collect(), over)
}

fn configured(w: &Workload, blue_green: &BlueGreen) -> Vec<(Stage, String)> {
    let replicas = w.rollout.replicas;
    let preview = blue_green.preview_replicas.unwrap_or(replicas);
    let mut stages = vec![(Stage::Preview, format!("preview: {preview} of {replicas} members"))];
    if blue_green.pre_promotion {
        stages.push((Stage::PreAnalysis, "prePromotionAnalysis".to_owned()));
    }
    match (blue_green.auto_promotion, blue_green.auto_promotion_delay) {
        (false, _) => stages.push((Stage::Pause, "pause".to_owned())),
        (true, Span::ZERO) => {}
        (true, delay) => stages.push((Stage::Pause, format!("pause: {delay}"))),
    }
    if preview != replicas {
        stages.push((Stage::Scale, format!("all {replicas} members")));
    }
    stages.push((Stage::Switch, format!("switch {}", blue_green.active_service)));
    if blue_green.post_promotion {
        stages.push((Stage::PostAnalysis, "postPromotionAnalysis".to_owned()));
    }
    stages
}

fn current(w: &Workload, blue_green: &BlueGreen, staffed: impl Fn(&Hash) -> u32) -> Stage {
    let (status, wanted) = (&w.status, &w.rollout.hash);
    let pool = w.pool(wanted);
    let available = pool.map_or(0, |p| staffed(&p.hash));
    let active = status.blue_green.active.as_ref() == Some(wanted);
    if status.abort {
        return Stage::Preview;
    }
    if active {
        return if status.stable.as_ref() == Some(wanted) { Stage::Promoted } else { Stage::PostAnalysis };
    }
    let returns = pool.is_some_and(|p| p.promoted && p.size > 0);
    if status.blue_green.checkpoint || status.promote_full || status.stable.is_none() || returns {
        return if available < w.rollout.replicas { Stage::Scale } else { Stage::Switch };
    }
    if status.pause(PauseReason::BlueGreenPause).is_some() {
        return Stage::Pause;
    }
    let there = pool.is_some_and(|p| p.size > 0 && available >= p.size);
    match &status.blue_green.pre_run {
        Some(run) if run.phase != RunPhase::Successful => Stage::PreAnalysis,
        None if blue_green.pre_promotion => Stage::Preview,
        _ if there => Stage::Pause,
        _ => Stage::Preview,
    }
}

#[cfg(test)]
mod tests {
    use serin_core::Time;
    use serin_core::status::RunRef;
    use serin_spec::wire::rollout::Rollout;

    use super::*;
    use crate::request;

    const NEW: &str = "new";

    /// A rollout of three members with a preview of one, everything configured, whose update has just begun.
    fn workload() -> Workload {
        let analysis = serde_json::json!({"templates": [{"templateName": "t"}]});
        let object = serde_json::json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "m"},
            "spec": {"replicas": 3, "template": {}, "strategy": {"blueGreen": {
                "activeService": "a", "previewService": "p", "previewReplicaCount": 1, "autoPromotionEnabled": false,
                "prePromotionAnalysis": analysis, "postPromotionAnalysis": analysis,
            }}},
        });
        let object: Rollout = serde_json::from_value(object).unwrap();
        let mut status = serin_core::Status { stable: Some(Hash::new("old")), ..Default::default() };
        status.blue_green.active = Some(Hash::new("old"));
        let mut rollout = request::lowered(&object, &status);
        rollout.hash = Hash::new(NEW);
        let pool = PoolState {
            hash: Hash::new(NEW),
            revision: 2,
            created: Time::default(),
            size: 1,
            replicas_seen: None,
            scale_down_at: None,
            promoted: false,
            metadata: Default::default(),
            evictions: Default::default(),
            template: object.spec.template.clone().unwrap(),
        };
        Workload {
            object,
            applied: serde_json::Value::Null,
            held: None,
            taken: None,
            problem: None,
            rollout,
            status,
            pools: vec![pool],
            services: Default::default(),
            split: None,
            reasons: Vec::new(),
            wake_at: None,
        }
    }

    fn run(phase: RunPhase) -> Option<RunRef> {
        Some(RunRef { name: "r".to_owned(), phase, message: String::new() })
    }

    #[test]
    fn an_update_goes_through_what_is_configured() {
        let texts = |edit: &dyn Fn(&mut BlueGreen)| {
            let workload = workload();
            let mut blue_green = workload.rollout.blue_green().unwrap().clone();
            edit(&mut blue_green);
            let (stages, _) = stages(&workload, &blue_green, |_| 0);
            stages.into_iter().map(|s| s.text).collect::<Vec<_>>().join(", ")
        };
        let all =
            "preview: 1 of 3 members, prePromotionAnalysis, pause, all 3 members, switch a, postPromotionAnalysis";
        assert_eq!(texts(&|_| ()), all);
        let timed = |b: &mut BlueGreen| (b.auto_promotion, b.auto_promotion_delay) = (true, Span::from_secs(90));
        assert!(texts(&timed).contains("pause: 1m30s"), "{}", texts(&timed));
        let plain = |b: &mut BlueGreen| {
            (b.auto_promotion, b.preview_replicas, b.pre_promotion, b.post_promotion) = (true, None, false, false);
        };
        assert_eq!(texts(&plain), "preview: 3 of 3 members, switch a");
    }

    #[test]
    fn the_stage_is_where_the_update_is() {
        let check = |edit: &dyn Fn(&mut Workload), available: u32, current: &str, over: usize| {
            let mut workload = workload();
            edit(&mut workload);
            let blue_green = workload.rollout.blue_green().unwrap();
            let (stages, done) = stages(&workload, blue_green, |_| available);
            let at = stages.iter().find(|s| s.state == "current").map_or("", |s| s.text.as_str());
            assert_eq!((at, done), (current, over), "{stages:?}");
        };
        check(&|_| (), 0, "preview: 1 of 3 members", 0);
        check(&|_| (), 1, "preview: 1 of 3 members", 0);
        check(&|w| w.status.blue_green.pre_run = run(RunPhase::Running), 1, "prePromotionAnalysis", 1);
        let judged = |w: &mut Workload| w.status.blue_green.pre_run = run(RunPhase::Successful);
        check(&judged, 1, "pause", 2);
        check(&|w| w.status.add_pause(PauseReason::BlueGreenPause, Time::default()), 1, "pause", 2);
        check(&|w| w.status.blue_green.checkpoint = true, 1, "all 3 members", 3);
        check(&|w| w.status.blue_green.checkpoint = true, 3, "switch a", 4);
        check(&|w| w.status.promote_full = true, 2, "all 3 members", 3);
        check(&|w| w.pools[0].promoted = true, 3, "switch a", 4);
        check(&|w| w.status.blue_green.active = Some(Hash::new(NEW)), 3, "postPromotionAnalysis", 5);
        let promoted = |w: &mut Workload| {
            w.status.blue_green.active = Some(Hash::new(NEW));
            w.status.stable = Some(Hash::new(NEW));
        };
        check(&promoted, 3, "", 6);
        check(&|w| w.status.abort = true, 1, "", 0);
    }
}
