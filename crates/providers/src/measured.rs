//! What a measurement gives.

use serin_core::Time;
use serin_core::analysis::{Measurement, Metric, RunPhase, verdict};
use serin_expr::Value;
use serin_spec::arguments::Filled;

/// A value, and the text that stands for it in a status.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What the conditions judge.
    pub value: Value,
    /// The text of the value, spelled as Argo Rollouts does.
    pub text: String,
    /// Warnings of the source, each in quotes, with commas between them.
    pub warnings: Option<String>,
}

impl Measured {
    /// One number.
    pub(crate) fn number(value: f64) -> Measured {
        Measured { value: value.into(), text: serin_promql::format_value(value), warnings: None }
    }

    /// A list of numbers, which may be empty.
    pub(crate) fn numbers(values: Vec<f64>) -> Measured {
        let texts: Vec<String> = values.iter().map(|value| serin_promql::format_value(*value)).collect();
        Measured { value: values.into(), text: format!("[{}]", texts.join(",")), warnings: None }
    }
}

/// Judges an answer, measured from the first time to the second. What a source says may repeat what it was asked with, so
/// neither the value nor the message is kept with a secret in it.
pub fn measurement(
    metric: &Metric,
    (started, finished): (Time, Time),
    answer: Result<Measured, String>,
    filled: Option<&Filled>,
) -> Measurement {
    let (phase, message, value) = match answer {
        Ok(measured) => {
            let (phase, message) = verdict::judge(metric, &measured.value);
            (phase, message, measured.text)
        }
        Err(message) => (RunPhase::Error, message, String::new()),
    };
    let shown = |text: String| match filled {
        Some(filled) => filled.redact(&text),
        None => text,
    };
    let (message, value) = (shown(message), shown(value));
    Measurement { phase, message, value, started, finished: Some(finished), ..Measurement::default() }
}
