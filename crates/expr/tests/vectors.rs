//! Replays conditions that were judged by the original.

use serin_expr::{Budget, Key, Program, Value};

/// Conditions on which we differ on purpose, with the reason.
const DIFFERENT: [(&str, &str); 2] = [
    ("date('2026-01-01').Year() == 2026", "refused: a condition judges one result and knows no time"),
    ("duration('1h').Seconds() == 3600", "refused: a condition judges one result and knows no time"),
];

fn field<'v>(case: &'v Value, name: &str) -> Option<&'v Value> {
    match case {
        Value::Map(map) => map.get(&Key::from(name)),
        _ => None,
    }
}

fn ours(condition: &str, result: &Value) -> Result<bool, String> {
    let program = Program::compile(condition).map_err(|error| error.to_string())?;
    program.eval(result, Budget::default()).map_err(|error| error.to_string())
}

//= compat: 3.10-1, 3.10-2, 3.10-3, 3.10-5, 3.10-6, 3.10-7, 3.10-8, 3.10-9
#[test]
fn agrees_with_the_original() {
    let Ok(Value::List(cases)) = Value::from_json(include_str!("data/conditions.json")) else {
        panic!("the vectors are a list");
    };
    assert_eq!(cases.len(), 1_575);
    let mut differences = Vec::new();
    let mut on_purpose = 0;
    for case in cases.iter() {
        let (Some(Value::Str(condition)), Some(result)) = (field(case, "condition"), field(case, "result")) else {
            panic!("a case has a condition and a result: {case}");
        };
        let want = match field(case, "want") {
            Some(Value::Bool(want)) => Some(*want),
            _ => None,
        };
        let got = ours(condition, result);
        if DIFFERENT.iter().any(|(different, _)| *different == &**condition) {
            assert!(got.is_err() && want.is_some(), "no longer different: {condition} on {result}");
            on_purpose += 1;
        } else if got.clone().ok() != want {
            differences.push(format!("{condition} on {result}: want {want:?}, got {got:?}"));
        }
    }
    assert_eq!(differences, Vec::<String>::new());
    assert_eq!(on_purpose, 30);
}
