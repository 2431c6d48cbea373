//! Judging one measured value by the two conditions of a metric (section 3.6 of the reference).

use super::{Metric, RunPhase};
use serin_expr::{Budget, Program, Value};

/// The phase a value gives a measurement, and for errors the reason.
///
/// | success | failure | result |
/// |---|---|---|
/// | not given | not given | Successful |
/// | holds | not given, or does not hold | Successful |
/// | does not hold | not given | Failed |
/// | any | holds | Failed |
/// | not given | does not hold | Successful |
/// | does not hold | does not hold | Inconclusive |
//= compat: 3.6-1, 3.6-2, 10.3, 10.8
pub fn judge(metric: &Metric, value: &Value) -> (RunPhase, String) {
    let evaluate = |name: &str, condition: &Option<String>| match condition.as_deref().filter(|c| !c.is_empty()) {
        None => Ok(None),
        Some(source) => evaluate(source, value)
            .map(Some)
            .map_err(|cause| format!("could not evaluate {name} \"{source}\": {cause}")),
    };
    let success = match evaluate("successCondition", &metric.success) {
        Ok(success) => success,
        Err(message) => return (RunPhase::Error, message),
    };
    let failure = match evaluate("failureCondition", &metric.failure) {
        Ok(failure) => failure,
        Err(message) => return (RunPhase::Error, message),
    };
    let phase = match (success, failure) {
        (_, Some(true)) | (Some(false), None) => RunPhase::Failed,
        (Some(true), _) | (None, _) => RunPhase::Successful,
        (Some(false), Some(false)) => RunPhase::Inconclusive,
    };
    (phase, String::new())
}

fn evaluate(source: &str, value: &Value) -> Result<bool, String> {
    let program = Program::compile(source).map_err(|e| e.to_string())?;
    program.eval(value, Budget::default()).map_err(|e| {
        let empty = matches!(value, Value::Nil) || matches!(value, Value::List(items) if items.is_empty());
        match empty {
            true => "metric result is nil or empty: no data returned from the metric provider".to_owned(),
            false => e.to_string(),
        }
    })
}
