//! Conditions of a metric: whether they compile, and whether they can tell good from bad.

use serin_expr::{Budget, CompileError, Program, Shape, Value};

use super::arguments::Filled;
use super::metric::{Scope, inside, is_open, providers};
use crate::problem::{Findings, Problem, Severity};
use crate::wire::provider::Metric;

/// Values that open arguments may have: a condition is refused only if none of them makes it compile.
const STAND_INS: [&str; 4] = ["0", "true", "x", "result[0] > 0"];

/// Plenty for the few values that a condition is tried on here, whatever it does with them.
const BUDGET: Budget = Budget::new(100_000);

/// The problems of the conditions of the metric at `path`.
pub(super) fn check(scope: &Scope<'_>, path: &str, metric: &Metric, problems: &mut Findings) {
    let conditions = [("successCondition", &metric.success_condition), ("failureCondition", &metric.failure_condition)];
    let set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let names = providers(&metric.provider);
    // These judge themselves.
    let judged = names.iter().any(|name| matches!(*name, "job" | "kayenta")) || !metric.provider.plugin.is_empty();
    if judged {
        for (field, _) in conditions.iter().filter(|(_, text)| set(text)).filter(|_| metric.provider.plugin.is_empty())
        {
            let message = format!("a {} metric judges itself; the condition is ignored", names.join(" and "));
            let problem = scope.origin.warning("no-effect", &format!("{path}.{field}"), message);
            problems.push(problem.hint("remove it"));
        }
    } else if !set(&metric.success_condition) && !set(&metric.failure_condition) && !names.is_empty() {
        //= compat: 3.6-2
        let problem = scope.origin.warning("no-condition", path, "the metric has no condition, so any result passes");
        problems.push(problem.hint("add successCondition, for example: successCondition: result[0] >= 0.95"));
    }
    let mut programs = Vec::new();
    let mut compiled = true;
    for (field, text) in conditions {
        let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else {
            programs.push(None);
            continue;
        };
        let program = compile(scope, &format!("{path}.{field}"), text, problems);
        compiled &= program.is_some();
        programs.push(program);
    }
    let [success, failure] = programs.as_slice() else { return };
    if compiled && metric.provider.prometheus.is_some() && !judged {
        no_data(scope, path, metric, (success.as_ref(), failure.as_ref()), problems);
    }
}

/// A condition that compiles.
struct Condition {
    program: Program,
    filled: Filled,
    /// It has the same answer for every result, which is reported.
    constant: bool,
}

//= compat: 3.10-1
fn compile(scope: &Scope<'_>, path: &str, text: &str, problems: &mut Findings) -> Option<Condition> {
    let mut first: Option<(CompileError, Filled)> = None;
    for stand_in in STAND_INS {
        // Placeholders that cannot be filled are reported where all of them are.
        let filled = scope.arguments.fill_or(text, stand_in)?;
        match Program::compile(&filled.text) {
            Ok(program) => {
                let constant = !is_open(text) && is_constant(scope, path, &program, problems);
                return Some(Condition { program, filled, constant });
            }
            Err(error) => _ = first.get_or_insert((error, filled)),
        }
        if !is_open(text) {
            break;
        }
    }
    let (error, filled) = first?;
    let bytes = filled.original(error.span.start..error.span.end);
    problems.push(inside(scope.origin, "bad-condition", path, bytes, error.message).maybe_hint(error.hint));
    None
}

/// Reports a condition that has the same answer for every result.
fn is_constant(scope: &Scope<'_>, path: &str, program: &Program, problems: &mut Findings) -> bool {
    let facts = program.facts();
    let message = match (facts.can_hold, facts.can_fail) {
        (true, true) => return false,
        (true, false) => "the condition is true whatever the result is",
        (false, true) => "no result makes the condition true",
        (false, false) => "every result makes the condition an error",
    };
    let problem = scope.origin.warning("constant-condition", path, message);
    problems.push(problem.hint("compare the result with a limit, for example: result[0] < 0.05"));
    true
}

/// Whether a Prometheus metric passes when there is nothing to judge.
//= compat: 3.6-1, 3.10-10, 3.11-8, 3.11-9
fn no_data(
    scope: &Scope<'_>,
    path: &str,
    metric: &Metric,
    (success, failure): (Option<&Condition>, Option<&Condition>),
    problems: &mut Findings,
) {
    let query = metric.provider.prometheus.as_ref().and_then(|prometheus| prometheus.query.as_deref());
    let scalar = query.is_some_and(|query| query.contains("scalar("));
    for (field, condition) in [("successCondition", success), ("failureCondition", failure)] {
        let Some(Condition { program, filled, .. }) = condition else { continue };
        if let (Err(error), false) = (program.check(Shape::List), scalar) {
            let path = format!("{path}.{field}");
            let message = format!("a query gives a list of values, for which this is an error: {}", error.message);
            let bytes = filled.original(error.span.start..error.span.end);
            let problem = inside(scope.origin, "wrong-result", &path, bytes, message);
            let hint = "use result[0], or scalar(…) in the query";
            problems.push(Problem { severity: Severity::Warning, ..problem }.hint(hint));
            return;
        }
    }
    let conditions: Vec<&Condition> = [success, failure].into_iter().flatten().collect();
    if conditions.is_empty() || conditions.iter().any(|condition| condition.constant) {
        return;
    }
    let field = if success.is_some() { "successCondition" } else { "failureCondition" };
    let path = format!("{path}.{field}");
    let programs = (success.map(|condition| &condition.program), failure.map(|condition| &condition.program));
    let empty = Value::from(Vec::<Value>::new());
    let nan = Value::from(vec![Value::from(f64::NAN)]);
    if passes(programs, &empty) {
        let problem = scope.origin.warning("no-data-passes", &path, "the metric passes when there are no data");
        problems.push(problem.hint("require data: len(result) > 0 && …"));
    } else if passes(programs, &nan) && conditions.iter().any(|condition| reads_values(&condition.program)) {
        let message = "the metric passes on NaN, which a ratio without requests gives";
        let problem = scope.origin.warning("nan-passes", &path, message);
        problems.push(problem.hint("add a successCondition, or refuse it: isNaN(result[0]) || …"));
    }
}

/// Whether a condition looks at the values and not only at how many there are.
fn reads_values(program: &Program) -> bool {
    program.facts().fields.iter().any(|field| field.path.starts_with("result["))
}

/// Whether a measurement with this result is Successful.
fn passes((success, failure): (Option<&Program>, Option<&Program>), result: &Value) -> bool {
    let holds = |program: Option<&Program>, absent| program.map_or(Ok(absent), |program| program.eval(result, BUDGET));
    matches!((holds(success, true), holds(failure, false)), (Ok(true), Ok(false)))
}
