//! The two conditions of a metric, tried on values around the limits that they compare with.

use serin_expr::{Budget, Program, Value};

use crate::check::arguments::Arguments;
use crate::wire::provider::Metric;

/// Plenty for one value, whatever the condition does with it.
const BUDGET: Budget = Budget::new(100_000);

/// Conditions of a Prometheus metric whose arguments are known.
pub(super) struct Judgement {
    success: Option<Program>,
    failure: Option<Program>,
    /// A query whose answer can be empty.
    may_be_empty: bool,
}

/// What a measurement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Successful,
    Failed,
    /// Failed, and the condition of success held too.
    Both,
    Inconclusive,
    Error,
}

/// What the results within a range can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Some pass.
    pub passes: bool,
    /// Some fail.
    pub fails: bool,
}

impl Judgement {
    /// `None` for other providers, for metrics without conditions, for conditions that do not compile, that are open,
    /// or that have the same answer for every result.
    pub(super) fn of(metric: &Metric, arguments: &Arguments<'_>) -> Option<Judgement> {
        let query = metric.provider.prometheus.as_ref()?.query.as_deref().unwrap_or_default();
        let program = |text: &Option<String>| match text.as_deref().filter(|text| !text.is_empty()) {
            None => Some(None),
            Some(text) => {
                let program = Program::compile(&arguments.fill(text)?.text).ok()?;
                let facts = program.facts();
                (facts.can_hold && facts.can_fail).then_some(Some(program))
            }
        };
        let (success, failure) = (program(&metric.success_condition)?, program(&metric.failure_condition)?);
        let always = query.trim_end().trim_end_matches(')').ends_with("vector(0") || query.contains("scalar(");
        (success.is_some() || failure.is_some()).then_some(Judgement { success, failure, may_be_empty: !always })
    }

    pub(super) fn has_both(&self) -> bool {
        self.success.is_some() && self.failure.is_some()
    }

    /// Whether an answer without elements is an error, which is repeated and then ends the run.
    pub(super) fn no_data_is_an_error(&self) -> bool {
        self.may_be_empty && self.outcome(&Value::from(Vec::<Value>::new())) == Outcome::Error
    }

    /// Whether a ratio without requests is a failed measurement.
    pub(super) fn fails_on_nan(&self) -> bool {
        self.outcome(&Value::from(vec![Value::from(f64::NAN)])) == Outcome::Failed
            || self.outcome(&Value::from(f64::NAN)) == Outcome::Failed
    }

    /// The outcomes on every value that tells the limits apart; empty if the conditions look at more than one number.
    pub(super) fn outcomes(&self) -> Vec<(f64, Outcome)> {
        let Some(mut limits) = self.limits() else { return Vec::new() };
        limits.extend([0.0, 1.0]);
        self.outcomes_around(limits)
    }

    /// What results from `low` to `high` can be; `None` if the conditions look at more than one number.
    pub(super) fn reach(&self, low: f64, high: f64) -> Option<Reach> {
        let mut values = self.limits()?;
        values.extend([low, high, 0.0].into_iter().filter(|value| value.is_finite()));
        let mut outcomes = self.outcomes_around(values);
        outcomes.retain(|(value, _)| low <= *value && *value <= high);
        let any = |wanted: &[Outcome]| outcomes.iter().any(|(_, outcome)| wanted.contains(outcome));
        Some(Reach { passes: any(&[Outcome::Successful]), fails: any(&[Outcome::Failed, Outcome::Both]) })
    }

    /// The numbers that the conditions compare the result with; `None` if they look at more than one number of it, or compare
    /// something that is computed from it.
    fn limits(&self) -> Option<Vec<f64>> {
        let programs = [&self.success, &self.failure].into_iter().flatten();
        let facts: Vec<_> = programs.map(Program::facts).collect();
        let fields = facts.iter().flat_map(|facts| &facts.fields);
        if !fields.clone().all(|field| matches!(field.path.as_str(), "result" | "result[0]")) || fields.count() == 0 {
            return None;
        }
        let thresholds = facts.iter().flat_map(|facts| &facts.thresholds);
        let known = |subject: &str| matches!(subject, "result" | "result[0]" | "len(result)");
        let values = thresholds.map(|threshold| known(&threshold.subject).then_some(threshold.value));
        values.collect()
    }

    /// The outcomes on these values, between them and beyond.
    fn outcomes_around(&self, mut limits: Vec<f64>) -> Vec<(f64, Outcome)> {
        limits.sort_by(f64::total_cmp);
        let between = limits.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
        let ends = [limits[0] - 1.0, limits[limits.len() - 1] + 1.0];
        let mut values: Vec<f64> = limits.iter().copied().chain(between).chain(ends).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values.into_iter().map(|value| (value, self.on(value))).collect()
    }

    /// On a vector of one element, or on a scalar where the conditions want that.
    fn on(&self, value: f64) -> Outcome {
        match self.outcome(&Value::from(vec![Value::from(value)])) {
            Outcome::Error => self.outcome(&Value::from(value)),
            outcome => outcome,
        }
    }

    fn outcome(&self, result: &Value) -> Outcome {
        let holds =
            |program: &Option<Program>| program.as_ref().map(|program| program.eval(result, BUDGET)).transpose();
        let (Ok(success), Ok(failure)) = (holds(&self.success), holds(&self.failure)) else { return Outcome::Error };
        match (success, failure) {
            (Some(true), Some(true)) => Outcome::Both,
            (_, Some(true)) | (Some(false), None) => Outcome::Failed,
            (Some(false), Some(false)) => Outcome::Inconclusive,
            _ => Outcome::Successful,
        }
    }
}
