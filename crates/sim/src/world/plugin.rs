//! Step plugins in the simulated world: asked once for each question, they answer after a while what they were said to answer.

use std::collections::BTreeMap;

use serin_core::plugin::{Operation, PluginAnswer, PluginCall, PluginCallSeen, PluginPhase};
use serin_core::{Span, Time};

use super::{Cluster, Event};

/// How a step plugin behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// From a question to its answer.
    pub answers_after: Span,
    /// Answers to `Run`, one after the other; the last stays. Without any it cannot be asked.
    pub runs: Vec<PluginPhase>,
    /// When to ask again, while it is running.
    pub again_after: Span,
}

/// The plugins of a world, and how often each was run.
#[derive(Debug, Clone, Default)]
pub(super) struct PluginHost {
    pub(super) plugins: BTreeMap<String, Plugin>,
    runs: BTreeMap<String, usize>,
}

impl Cluster {
    /// Lets a plugin of this name behave so from now on.
    pub fn set_plugin(&mut self, name: &str, plugin: Plugin) {
        self.plugins.plugins.insert(name.to_owned(), plugin);
    }

    /// Carries a question to its plugin, unless it is on its way or answered.
    pub(super) fn call_plugin(&mut self, call: &PluginCall) {
        if self.truth.plugins.calls.iter().any(|seen| seen.id == call.id) {
            return;
        }
        self.truth.plugins.calls.push(PluginCallSeen { id: call.id.clone(), answer: None });
        let (after, answer) = self.plugins.answer(call);
        let at: Time = self.now + after;
        self.queue.push(at, Event::Answer { id: call.id.clone(), answer });
    }

    /// The answer to a question is there.
    pub(super) fn take_answer(&mut self, id: &str, answer: Result<PluginAnswer, String>) {
        for seen in self.truth.plugins.calls.iter_mut().filter(|seen| seen.id == id) {
            seen.answer = Some(answer.clone());
        }
    }
}

impl PluginHost {
    fn answer(&mut self, call: &PluginCall) -> (Span, Result<PluginAnswer, String>) {
        let Some(plugin) = self.plugins.get(&call.plugin).filter(|p| !p.runs.is_empty()) else {
            return (Span::ZERO, Err(format!("plugin {} does not answer", call.plugin)));
        };
        let phase = match call.operation {
            Operation::Run => {
                let run = self.runs.entry(call.plugin.clone()).or_default();
                *run += 1;
                plugin.runs[(*run - 1).min(plugin.runs.len() - 1)]
            }
            Operation::Abort | Operation::Terminate => PluginPhase::Successful,
        };
        let requeue_after = (phase == PluginPhase::Running).then_some(plugin.again_after);
        let message = format!("{} is {}", call.operation.as_str(), phase.as_str().to_lowercase());
        (plugin.answers_after, Ok(PluginAnswer { phase, message, requeue_after, state: None }))
    }
}
