//! Steps that a plugin carries out: what is asked of it, what it answers, and what is remembered (section 6.13 of the
//! reference). Who carries the question to the plugin, and how, is an adapter's affair.

use crate::status::Status;
use crate::time::{Span, Time};

/// A `plugin` step. Its configuration is free-form and stays with the adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStep {
    /// Name of the plugin.
    pub name: String,
}

/// What a plugin is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Carry out the step, or say how it stands.
    Run,
    /// Take back what `Run` did: the update was aborted.
    Abort,
    /// Stop what `Run` began: the step is not needed any more.
    Terminate,
}

impl Operation {
    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Run => "Run",
            Operation::Abort => "Abort",
            Operation::Terminate => "Terminate",
        }
    }
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginPhase {
    /// It goes on.
    Running,
    /// Done.
    Successful,
    /// Given up: the update is aborted.
    Failed,
    /// The plugin could not be asked, or answered nonsense. A `Run` is asked again.
    Error,
}

impl PluginPhase {
    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            PluginPhase::Running => "Running",
            PluginPhase::Successful => "Successful",
            PluginPhase::Failed => "Failed",
            PluginPhase::Error => "Error",
        }
    }
}

/// What is remembered of an operation, as it stands in `stepPluginStatuses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStatus {
    /// Index of the step.
    pub index: usize,
    /// Name of the plugin.
    pub name: String,
    /// What it was asked to do.
    pub operation: Operation,
    /// How that stands.
    pub phase: PluginPhase,
    /// What the plugin said last, or why it could not be asked.
    pub message: String,
    /// When it was first to be asked.
    pub started: Time,
    /// When it last answered.
    pub updated: Option<Time>,
    /// When it came to its end.
    pub finished: Option<Time>,
    /// Wait after `updated` before it is asked again.
    pub backoff: Span,
    /// Answers so far.
    pub executions: u32,
    /// The plugin is switched off: it was not asked.
    pub disabled: bool,
    /// What the plugin wants to be told the next time, in its own words.
    pub state: Option<String>,
}

impl PluginStatus {
    /// An operation that was not asked for yet.
    pub fn new(index: usize, name: &str, operation: Operation, now: Time) -> Self {
        Self {
            index,
            name: name.to_owned(),
            operation,
            phase: PluginPhase::Running,
            message: String::new(),
            started: now,
            updated: None,
            finished: None,
            backoff: Span::ZERO,
            executions: 0,
            disabled: false,
            state: None,
        }
    }

    /// Whether it came to its end.
    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Name of its next question, the same however often it has to be asked: a plugin that knows the name has done it already.
    pub fn call_id(&self, rollout: &str) -> String {
        let operation = self.operation.as_str().to_ascii_lowercase();
        let (index, number) = (self.index, self.executions.saturating_add(1));
        format!("{rollout}-{index}-{operation}-{}-{number}", self.started.as_millis())
    }
}

/// A question to a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginCall {
    /// Its name, the same when it is asked again because no answer came.
    pub id: String,
    /// Index of the step.
    pub index: usize,
    /// Name of the plugin.
    pub plugin: String,
    /// What it is asked to do.
    pub operation: Operation,
    /// What it wanted to be told.
    pub state: Option<String>,
}

/// A plugin's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginAnswer {
    /// How the operation stands; never [`PluginPhase::Error`].
    pub phase: PluginPhase,
    /// A sentence for people.
    pub message: String,
    /// When to ask again, if it goes on.
    pub requeue_after: Option<Span>,
    /// What it wants to be told the next time; `None` keeps what it said before.
    pub state: Option<String>,
}

/// A question that is on its way or answered, as an adapter sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginCallSeen {
    /// Its name.
    pub id: String,
    /// The answer, or why there is none; nothing while it is on its way.
    pub answer: Option<Result<PluginAnswer, String>>,
}

/// What an adapter knows of plugins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plugins {
    /// Names of plugins that are switched off: their steps are over at once.
    pub disabled: Vec<String>,
    /// Questions that are on their way or answered.
    pub calls: Vec<PluginCallSeen>,
}

/// Names of the questions that a status may still ask or wait for; an adapter may forget all others.
pub fn open_calls(status: &Status, rollout: &str) -> Vec<String> {
    status.plugins.iter().filter(|p| !p.is_finished()).map(|p| p.call_id(rollout)).collect()
}
