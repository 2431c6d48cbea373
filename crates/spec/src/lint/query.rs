//! PromQL queries as they will be asked. This crate does not read PromQL: lints of queries live where it is read, and find
//! here each query with its arguments filled in, its limits, and the way back to its place.

use std::ops::Range;
use std::sync::Arc;

use serin_expr::{Program, Threshold};

use super::asked::Asked;
use super::judgement::{Judgement, Reach};
use super::schedule::Schedule;
use super::template::{defaults, runs};
use super::uses::{self, Used, grouped, metrics_of};
use crate::catalog::{Catalog, Origin};
use crate::check::analysis::Template;
use crate::check::arguments::{Arguments, Filled};
use crate::check::inside;
use crate::problem::Problem;
use crate::wire::provider::Metric;

pub use uses::{LATEST, STABLE};

/// Values that open arguments may have, tried in turn until the query can be read.
pub(super) const STAND_INS: [&str; 3] = ["open0value", "5m", "1"];

/// One query as one user of its template asks it.
pub struct Query {
    /// The query with every argument filled in: hashes of versions are [`LATEST`] and [`STABLE`], values that only a run
    /// knows are stand-ins. Several readings if there are open values; the first that can be read is the one to take.
    pub readings: Vec<String>,
    /// Text that stands for a value that nobody knows yet.
    pub open: &'static str,
    /// A rollout or experiment asks it, so it is known what every argument is.
    pub used: bool,
    /// What its conditions compare `result[0]` or `result` with.
    pub limits: Vec<Limit>,
    /// What its conditions compare anything else with, such as `abs(result[0] - 0.5)`.
    pub other_limits: Vec<Limit>,
    /// The analyses of canaries that ask it.
    pub asked: Vec<Asked>,
    /// Its conditions look at the first element and at no other.
    pub first_only: bool,
    /// A measurement of NaN is a failure.
    pub fails_on_nan: bool,
    /// An answer without elements is an error, which ends the update when it stays.
    pub errors_on_empty: bool,
    judgement: Option<Judgement>,
    filled: Vec<Filled>,
    origin: Arc<Origin>,
    /// The metric in its template.
    path: String,
}

/// A limit in a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// What is compared, and with what.
    pub threshold: Threshold,
    /// `successCondition` or `failureCondition`.
    pub field: &'static str,
    filled: Filled,
}

impl Query {
    /// What answers from `low` to `high` can be; `None` if the conditions look at more than one number, or at none.
    pub fn reach(&self, low: f64, high: f64) -> Option<Reach> {
        self.judgement.as_ref()?.reach(low, high)
    }

    /// A finding in bytes of a reading.
    pub fn problem(
        &self,
        name: &'static str,
        reading: usize,
        bytes: Range<usize>,
        message: String,
        hint: &str,
    ) -> Problem {
        let path = format!("{}.provider.prometheus.query", self.path);
        finding(&self.origin, (name, &path), self.filled.get(reading), bytes, message, hint)
    }

    /// A finding in a limit.
    pub fn limit_problem(&self, name: &'static str, limit: &Limit, message: String, hint: String) -> Problem {
        let span = limit.threshold.value_span;
        let path = format!("{}.{}", self.path, limit.field);
        finding(&self.origin, (name, &path), Some(&limit.filled), span.start..span.end, message, hint)
    }
}

/// A finding of a lint in bytes of a text whose arguments were filled in, at its place in the file; at the begin of the text if it was not filled in.
pub(super) fn finding(
    origin: &Origin,
    (name, path): (&'static str, &str),
    filled: Option<&Filled>,
    bytes: Range<usize>,
    message: String,
    hint: impl Into<String>,
) -> Problem {
    let bytes = filled.map_or(0..0, |filled| filled.original(bytes));
    let problem = inside(origin, name, path, bytes, message).hint(hint);
    Problem { severity: crate::Severity::Warning, ..problem }
}

/// Every query of a catalogue, once for each use and once for each template that nothing uses.
pub fn queries(catalog: &Catalog) -> Vec<Query> {
    let mut queries = Vec::new();
    each_metric(catalog, &mut |origin, path, metric, arguments, group| {
        let schedule = Schedule::of(metric, arguments);
        let asked = group.iter().filter_map(|used| Asked::of(catalog, used, schedule)).collect();
        let query = query(origin, path.to_owned(), metric, arguments);
        queries.extend(query.map(|query| Query { used: !group.is_empty(), asked, ..query }));
    });
    queries
}

/// A metric with its object, its path there, the arguments that it gets, and the analyses that run it.
type Visit<'v> = &'v mut dyn FnMut(&Arc<Origin>, &str, &Metric, &Arguments<'_>, &[Used<'_>]);

/// Every metric of a catalogue, once for each use and once for each template that nothing uses.
pub(super) fn each_metric(catalog: &Catalog, visit: Visit<'_>) {
    let mut seen: Vec<*const Origin> = Vec::new();
    for group in grouped(catalog) {
        let Some(used) = group.first() else { continue };
        let arguments = used.arguments();
        for (template, path, metric) in used.metrics() {
            seen.push(Arc::as_ptr(template.origin));
            visit(template.origin, &path, metric, &arguments, &group);
        }
    }
    let templates = catalog.analysis_templates.iter().map(Template::new);
    let templates = templates.chain(catalog.cluster_analysis_templates.iter().map(Template::of_cluster));
    for template in templates.filter(|template| !seen.contains(&Arc::as_ptr(template.origin))) {
        let arguments = defaults(&template.spec.args);
        metrics_of(template.spec).for_each(|(path, metric)| visit(template.origin, &path, metric, &arguments, &[]));
    }
    for entry in runs(catalog) {
        let arguments = defaults(&entry.object.spec.args);
        for (i, metric) in entry.object.spec.metrics.iter().enumerate() {
            visit(&entry.origin, &format!("spec.metrics[{i}]"), metric, &arguments, &[]);
        }
    }
}

fn query(origin: &Arc<Origin>, path: String, metric: &Metric, arguments: &Arguments<'_>) -> Option<Query> {
    let text = metric.provider.prometheus.as_ref()?.query.as_deref()?;
    let filled: Vec<Filled> = STAND_INS.iter().filter_map(|stand_in| arguments.fill_or(text, stand_in)).collect();
    let (mut limits, mut other_limits) = (Vec::new(), Vec::new());
    let mut fields = Vec::new();
    for (field, text) in
        [("successCondition", &metric.success_condition), ("failureCondition", &metric.failure_condition)]
    {
        let Some(filled) = text.as_deref().and_then(|text| arguments.fill(text)) else { continue };
        let Ok(facts) = Program::compile(&filled.text).map(|program| program.facts()) else { continue };
        fields.extend(facts.fields.into_iter().map(|field| field.path));
        for threshold in facts.thresholds {
            let whole = matches!(threshold.subject.as_str(), "result[0]" | "result");
            let list = if whole { &mut limits } else { &mut other_limits };
            list.push(Limit { threshold, field, filled: filled.clone() });
        }
    }
    let judgement = Judgement::of(metric, arguments);
    Some(Query {
        readings: filled.iter().map(|filled| filled.text.clone()).collect(),
        open: STAND_INS[0],
        used: false,
        asked: Vec::new(),
        limits,
        other_limits,
        first_only: !fields.is_empty() && fields.iter().all(|field| field == "result[0]"),
        fails_on_nan: judgement.as_ref().is_some_and(Judgement::fails_on_nan),
        errors_on_empty: judgement.as_ref().is_some_and(Judgement::no_data_is_an_error),
        judgement,
        filled,
        origin: origin.clone(),
        path,
    })
}
