//! Step plugins: questions on their way and their answers. A question is asked after the decision that wants it is durable, runs
//! beside the loop, and its answer is used up by a decision that is durable before the next question is asked. One whose answer
//! was lost is asked again under the same name.

use std::collections::BTreeMap;

use serin_core::plugin::{PluginAnswer, PluginCall, PluginCallSeen, Plugins, open_calls};
use serin_core::{Span, Status};
use tokio::task::AbortHandle;

use super::decide::Settled;
use super::{Engine, Report};
use crate::model::{Key, Workload};
use crate::plugin::{self, Answer, Question};

/// Questions by rollout and name.
#[derive(Debug, Default)]
pub(super) struct Asking {
    asked: BTreeMap<(Key, String), Asked>,
}

#[derive(Debug)]
struct Asked {
    answer: Option<Result<PluginAnswer, String>>,
    task: Option<AbortHandle>,
}

/// A question came to its end.
#[derive(Debug)]
pub(super) struct Answered {
    rollout: Key,
    id: String,
    answer: Result<Answer, String>,
}

impl Engine {
    /// What a decision sees of plugins: questions that the pass just decided count as asked.
    pub(super) fn plugins(&self, key: &Key, settled: &Settled) -> Plugins {
        let known = self.asking.asked.iter().filter(|((rollout, _), _)| rollout == key);
        let mut calls: Vec<PluginCallSeen> =
            known.map(|((_, id), asked)| PluginCallSeen { id: id.clone(), answer: asked.answer.clone() }).collect();
        calls.extend(settled.calls.iter().map(|call| PluginCallSeen { id: call.id.clone(), answer: None }));
        let disabled = self.side.plugins.iter().filter(|p| p.disabled).map(|p| p.name.clone());
        Plugins { disabled: disabled.collect(), calls }
    }

    /// Asks what a durable decision wants to know, and forgets what nobody waits for.
    pub(super) fn ask_plugins(&mut self, key: &Key, workload: &Workload, calls: &[PluginCall]) {
        for call in calls {
            let place = (key.clone(), call.id.clone());
            if self.asking.asked.contains_key(&place) {
                continue;
            }
            let asked = match self.question(key, workload, call) {
                Ok(question) => {
                    let (rollout, id, send) = (key.clone(), call.id.clone(), self.reports.0.clone());
                    let task = tokio::spawn(async move {
                        let answer = plugin::ask(question).await.map_err(|e| e.to_string());
                        // The loop may have ended; then the next one asks again.
                        let _ = send.send(Report::Plugin(Answered { rollout, id, answer }));
                    });
                    Asked { answer: None, task: Some(task.abort_handle()) }
                }
                Err(why) => {
                    self.dirty.insert(key.clone());
                    Asked { answer: Some(Err(why)), task: None }
                }
            };
            self.asking.asked.insert(place, asked);
        }
        self.forget_questions(key, Some(&workload.status));
    }

    /// Questions that no status waits for are not waited for either: their processes end.
    pub(super) fn forget_questions(&mut self, key: &Key, status: Option<&Status>) {
        let open = status.map(|status| open_calls(status, &key.name)).unwrap_or_default();
        self.asking.asked.retain(|(rollout, id), asked| {
            let kept = rollout != key || open.contains(id);
            if let Some(task) = asked.task.as_ref().filter(|_| !kept) {
                task.abort();
            }
            kept
        });
    }

    fn question(&self, key: &Key, workload: &Workload, call: &PluginCall) -> Result<Question, String> {
        let entry = self.side.plugins.iter().find(|p| p.name == call.plugin).ok_or_else(|| {
            format!("no command stands for plugin \"{}\": add it to plugins in {}", call.plugin, crate::side::FILE)
        })?;
        let steps = workload.object.spec.strategy.canary.as_ref().map(|c| &c.steps);
        let step = steps.and_then(|steps| steps.get(call.index)?.plugin.as_ref()).filter(|p| p.name == call.plugin);
        let request = plugin::Request {
            // A rollout's name alone is not unique on this machine.
            id: format!("{}-{}", key.namespace, call.id),
            plugin: call.plugin.clone(),
            operation: call.operation.as_str(),
            step: call.index,
            config: step.and_then(|step| step.config.clone()),
            status: call.state.as_deref().and_then(|state| serde_json::from_str(state).ok()),
            rollout: workload.manifest(),
        };
        Ok(Question {
            request,
            command: entry.clone(),
            state_id: self.origin.id.clone(),
            log: self.options.state.join("logs").join(plugin::log_name(&call.plugin)),
        })
    }

    pub(super) fn take_answer(&mut self, answered: Answered) {
        let place = (answered.rollout, answered.id);
        let Some(asked) = self.asking.asked.get_mut(&place) else { return };
        asked.task = None;
        asked.answer = Some(answered.answer.map(|answer| PluginAnswer {
            phase: answer.phase.into(),
            message: answer.message,
            requeue_after: answer.requeue_after_seconds.map(|s| Span::from_millis((s * 1000.0) as i64)),
            state: answer.status.map(|status| serde_json::Value::Object(status).to_string()),
        }));
        self.dirty.insert(place.0);
    }
}
