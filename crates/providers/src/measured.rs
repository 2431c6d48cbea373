//! What a measurement gives.

use serin_expr::Value;

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
