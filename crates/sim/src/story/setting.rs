//! The settings of a story's rollout: words of a script become fields of the strategy.

use serin_core::plugin::{PluginPhase, PluginStep};
use serin_core::rollout::{
    Amount, BlueGreen, Canary, CanaryScale, ExperimentStep, PingPong, Rollout, ScaleDown, Step, Strategy, Threshold,
    Traffic, Workload,
};
use serin_core::weight::{HeaderMatch, HeaderRoute, MirrorRoute, RouteMatch, ValueMatch};
use serin_core::{Hash, RoleMetadata, Span};

use crate::script;
use crate::world::{ExperimentPlan, Plugin, TemplatePlan};

/// The rollout that a story begins with: a canary behind a router, without steps.
pub(super) fn usual() -> Rollout {
    Rollout {
        name: "svc".to_owned(),
        generation: 1,
        replicas: 1,
        hash: Hash::new("none"),
        steps_hash: "s1".to_owned(),
        paused: false,
        progress_deadline: Span::from_secs(600),
        progress_deadline_abort: false,
        revision_history_limit: 10,
        rollback_window: None,
        restart_at: None,
        metadata: RoleMetadata::default(),
        run_history_limits: (5, 5),
        workload: None,
        strategy: Strategy::Canary(Canary {
            scale_down_delay: Span::from_secs(30),
            traffic: Some(Traffic { weight_total: 100 }),
            canary_service: Some("svc-canary".to_owned()),
            stable_service: Some("svc-stable".to_owned()),
            ..Canary::default()
        }),
    }
}

/// `strategy blueGreen`.
fn blue_green() -> Strategy {
    Strategy::BlueGreen(BlueGreen {
        active_service: "svc-active".to_owned(),
        preview_service: Some("svc-preview".to_owned()),
        auto_promotion: true,
        ..BlueGreen::default()
    })
}

/// Changes one setting.
pub(super) fn set(rollout: &mut Rollout, words: &[String]) -> Result<(), String> {
    let value = words.get(1).map(String::as_str).unwrap_or_default();
    match words[0].as_str() {
        "replicas" => rollout.replicas = number(value)?,
        "history" => rollout.revision_history_limit = number(value)?,
        "window" => rollout.rollback_window = Some(number(value)?),
        "deadline" => {
            rollout.progress_deadline = script::span(value)?;
            rollout.progress_deadline_abort = words.get(2).is_some_and(|w| w == "abort");
        }
        "workload" => {
            let scale_down = match words.get(2).map(String::as_str) {
                Some("never") | None => ScaleDown::Never,
                Some("onSuccess") => ScaleDown::OnSuccess,
                Some("progressively") => ScaleDown::Progressively,
                Some(other) => return Err(format!("a workload is not taken down '{other}'")),
            };
            rollout.workload = Some(Workload { scale_down, replicas: number(value)? });
        }
        "metadata" => {
            let role = match value {
                "new" => &mut rollout.metadata.new,
                "stable" => &mut rollout.metadata.stable,
                other => return Err(format!("there is no role '{other}'")),
            };
            for pair in &words[2..] {
                let (key, value) = pair.split_once('=').ok_or_else(|| format!("'{pair}' is not key=value"))?;
                role.labels.insert(key.to_owned(), value.to_owned());
            }
        }
        "strategy" => match value {
            "blueGreen" => rollout.strategy = blue_green(),
            "canary" => rollout.strategy = usual().strategy,
            other => return Err(format!("there is no strategy '{other}'")),
        },
        word => match &mut rollout.strategy {
            Strategy::Canary(canary) => set_canary(canary, word, value)?,
            Strategy::BlueGreen(blue_green) => set_blue_green(blue_green, word, value)?,
        },
    }
    Ok(())
}

fn set_canary(canary: &mut Canary, word: &str, value: &str) -> Result<(), String> {
    match word {
        "router" => {
            let traffic = (value != "none").then_some(Traffic { weight_total: 100 });
            canary.traffic = traffic;
            if traffic.is_none() {
                canary.scale_down_delay = Span::ZERO;
                (canary.canary_service, canary.stable_service) = (None, None);
            }
        }
        "pingPong" => {
            (canary.canary_service, canary.stable_service) = (None, None);
            canary.ping_pong = Some(PingPong { ping: "svc-ping".to_owned(), pong: "svc-pong".to_owned() });
        }
        "routes" => canary.managed_routes = value.split(',').map(str::to_owned).collect(),
        "maxWeight" => canary.traffic = Some(Traffic { weight_total: number(value)? }),
        "surge" => canary.max_surge = Amount::Count(number(value)?),
        "unavailable" => canary.max_unavailable = Amount::Count(number(value)?),
        "dynamic" => canary.dynamic_stable_scale = true,
        "minPods" => canary.min_pods = Some(number(value)?),
        "threshold" => {
            canary.progress_threshold = Some(match value.strip_suffix('%') {
                Some(percent) => Threshold::Percent(number(percent)?),
                None => Threshold::Pods(number(value)?),
            });
        }
        "scaleDownDelay" => canary.scale_down_delay = script::span(value)?,
        "delayRevisions" => canary.scale_down_delay_revision_limit = Some(number(value)?),
        "abortDelay" => canary.abort_scale_down_delay = Some(script::span(value)?),
        "background" => canary.background_from = Some(number(value)? as usize),
        other => return Err(format!("a canary has no setting '{other}'")),
    }
    Ok(())
}

fn set_blue_green(blue_green: &mut BlueGreen, word: &str, value: &str) -> Result<(), String> {
    match word {
        "preview" => blue_green.preview_service = (value != "off").then(|| "svc-preview".to_owned()),
        "previewReplicas" => blue_green.preview_replicas = Some(number(value)?),
        "autoPromotion" => match value {
            "off" => blue_green.auto_promotion = false,
            "on" => blue_green.auto_promotion = true,
            delay => blue_green.auto_promotion_delay = script::span(delay)?,
        },
        "preAnalysis" => blue_green.pre_promotion = value != "off",
        "postAnalysis" => blue_green.post_promotion = value != "off",
        "unavailable" => blue_green.max_unavailable = Amount::Count(number(value)?),
        "scaleDownDelay" => blue_green.scale_down_delay = Some(script::span(value)?),
        "delayRevisions" => blue_green.scale_down_delay_revision_limit = Some(number(value)?),
        "abortDelay" => blue_green.abort_scale_down_delay = Some(script::span(value)?),
        other => return Err(format!("blue-green has no setting '{other}'")),
    }
    Ok(())
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number"))
}

/// A step of the canary.
pub(super) fn step(words: &[String]) -> Result<Step, String> {
    let number = |i: usize| words.get(i).ok_or_else(|| "needs a number".to_owned()).and_then(|word| number(word));
    match words.first().map(String::as_str) {
        Some("setWeight") => Ok(Step::SetWeight(number(1)?)),
        Some("pause") => Ok(Step::Pause(words.get(1).map(|w| script::span(w)).transpose()?)),
        Some("analysis") => Ok(Step::Analysis),
        Some("setCanaryScale") => match words.get(1).map(String::as_str) {
            Some("replicas") => Ok(Step::SetCanaryScale(CanaryScale::Replicas(number(2)?))),
            Some("weight") => Ok(Step::SetCanaryScale(CanaryScale::Weight(number(2)?))),
            _ => Ok(Step::SetCanaryScale(CanaryScale::MatchTrafficWeight)),
        },
        Some("setHeaderRoute") => {
            let matches = match (words.get(2), words.get(3)) {
                (Some(header), Some(value)) => {
                    vec![HeaderMatch { header: header.clone(), value: ValueMatch::Exact(value.clone()) }]
                }
                _ => Vec::new(),
            };
            let name = words.get(1).cloned().ok_or("needs a name")?;
            Ok(Step::SetHeaderRoute(HeaderRoute { name, matches }))
        }
        Some("setMirrorRoute") => {
            let name = words.get(1).cloned().ok_or("needs a name")?;
            let everything = words.get(2).map(|_| RouteMatch::default());
            let percentage = words.get(2).map_or(Ok(0), |_| number(2))?;
            Ok(Step::SetMirrorRoute(MirrorRoute { name, percentage, matches: everything.into_iter().collect() }))
        }
        Some("plugin") => {
            let name = words.get(1).cloned().ok_or("needs a name")?;
            Ok(Step::Plugin(PluginStep { name }))
        }
        other => Err(format!("unknown step {other:?}")),
    }
}

/// `plugin NAME running,successful [answers 2s] [again 30s]`
pub(super) fn plugin(words: &[String]) -> Result<(String, Plugin), String> {
    let name = words.first().cloned().ok_or("needs a name")?;
    let mut plugin = Plugin { answers_after: Span::from_secs(1), runs: Vec::new(), again_after: Span::from_secs(30) };
    for word in words.get(1).ok_or("needs answers")?.split(',') {
        plugin.runs.push(match word {
            "running" => PluginPhase::Running,
            "successful" => PluginPhase::Successful,
            "failed" => PluginPhase::Failed,
            "silent" => continue,
            other => return Err(format!("a plugin does not answer '{other}'")),
        });
    }
    for pair in words[2..].chunks(2) {
        match pair {
            [key, value] if key == "answers" => plugin.answers_after = script::span(value)?,
            [key, value] if key == "again" => plugin.again_after = script::span(value)?,
            other => return Err(format!("a plugin has no {other:?}")),
        }
    }
    Ok((name, plugin))
}

/// `experiment NAME=stable|canary[:REPLICAS[:WEIGHT]] ... [duration 60s] [delay 30s] [analysis NAME] [required NAME]`
pub(super) fn experiment(words: &[String]) -> Result<(Step, ExperimentPlan), String> {
    let (mut plan, mut weights) = (ExperimentPlan::default(), Vec::new());
    let mut i = 1;
    while let Some(word) = words.get(i) {
        if let Some((name, what)) = word.split_once('=') {
            let parts: Vec<&str> = what.split(':').collect();
            let replicas = parts.get(1).map_or(Ok(1), |n| number(n))?;
            let weight = parts.get(2).map(|n| number(n)).transpose()?;
            weights.extend(weight.map(|weight| (name.to_owned(), weight)));
            let (name, canary) = (name.to_owned(), parts[0] == "canary");
            plan.templates.push(TemplatePlan { name, canary, replicas, service: weight.is_some() });
            i += 1;
            continue;
        }
        let value = words.get(i + 1).ok_or_else(|| format!("'{word}' needs a word after it"))?;
        match word.as_str() {
            "duration" => plan.duration = Some(script::span(value)?),
            "delay" => plan.scale_down_delay = script::span(value)?,
            "analysis" => plan.analyses.push((value.clone(), false)),
            "required" => plan.analyses.push((value.clone(), true)),
            other => return Err(format!("an experiment has no '{other}'")),
        }
        i += 2;
    }
    Ok((Step::Experiment(ExperimentStep { weights }), plan))
}
