//! What must hold for any condition on any result: no panic, bounded work, the same answer twice, places inside the text.

use serin_expr::{Budget, Program, Value, template};

/// Checks a text: a condition, and after the first line break a result as JSON.
pub(crate) fn check(text: &str) {
    let (condition, result) = text.split_once('\n').unwrap_or((text, "[0.5]"));
    // Reading placeholders must not fail in another way than with an error either.
    let _ = template::placeholders(condition);
    let program = match Program::compile(condition) {
        Ok(program) => program,
        Err(error) => {
            let span = error.span;
            assert!(span.start <= span.end && span.end <= condition.len(), "{span:?} of {condition:?}");
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let Ok(result) = Value::from_json(result) else { return };
    let first = program.eval(&result, Budget::default()).map_err(|e| e.to_string());
    let second = program.eval(&result, Budget::default()).map_err(|e| e.to_string());
    assert_eq!(first, second, "{condition:?} on {result}");
}
