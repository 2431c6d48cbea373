//! One metric of a template or run: its provider, schedule and limits.

use std::ops::Range;

use super::condition;
use super::nearest::did_you_mean;
use super::{Queries, arguments::Arguments};
use crate::catalog::Origin;
use crate::document::{Kind, Node, join};
use crate::problem::{Findings, Problem};
use crate::wire::meta::IntOrString;
use crate::wire::provider::{Metric, MetricProvider, PrometheusMetric, WebMetric};
use crate::{duration, recipe};

/// What a metric is checked with.
pub(super) struct Scope<'s> {
    pub(super) origin: &'s Origin,
    pub(super) arguments: &'s Arguments<'s>,
    pub(super) query: Queries<'s>,
}

/// Whether a text holds placeholders, so that its meaning is open until a run starts.
pub(super) fn is_open(text: &str) -> bool {
    text.contains("{{")
}

/// The problems of the metric at `path`.
pub(super) fn check(scope: &Scope<'_>, path: &str, metric: &Metric, problems: &mut Findings) {
    let origin = scope.origin;
    for (field, text) in [("interval", &metric.interval), ("initialDelay", &metric.initial_delay)] {
        duration(origin, &format!("{path}.{field}"), text.as_deref(), problems);
    }
    limits(origin, path, metric, problems);
    provider(scope, path, &metric.provider, problems);
    condition::check(scope, path, metric, problems);
    recipe(origin, path, metric, problems);
    if let Some(node) = origin.node.at(path) {
        placeholders(scope, node, path, problems);
    }
}

/// The settings of a sequential metric, and fields that mean nothing beside them.
fn recipe(origin: &Origin, path: &str, metric: &Metric, problems: &mut Findings) {
    let Some((name, value)) = recipe::settings(metric) else { return };
    // What is open until a run starts is read then.
    if is_open(&value.to_string()) {
        return;
    }
    let at = format!("{path}.provider.plugin[{name}]");
    for found in recipe::read(name, value).err().into_iter().flatten() {
        let place = if found.path.is_empty() { at.clone() } else { format!("{at}.{}", found.path) };
        let problem = origin.problem("bad-recipe", &place, found.message);
        let problem = match found.expected {
            Some(expected) => problem.expected(expected),
            None => problem,
        };
        problems.push(problem.maybe_hint(found.hint));
    }
    let idle = [
        ("count", metric.count.is_some()),
        ("failureLimit", metric.failure_limit.is_some()),
        ("inconclusiveLimit", metric.inconclusive_limit.is_some()),
        ("consecutiveSuccessLimit", metric.consecutive_success_limit.is_some()),
        ("successCondition", metric.success_condition.is_some()),
        ("failureCondition", metric.failure_condition.is_some()),
    ];
    for (field, _) in idle.iter().filter(|(_, set)| *set) {
        let message = format!("{name} judges by itself, at every look; {field} means nothing to it");
        let problem = origin.problem("no-effect", &format!("{path}.{field}"), message);
        problems.push(problem.hint("remove it; say how sure the verdict is with alpha, beta, within and undecided"));
    }
}

//= compat: 3.4-4
fn duration(origin: &Origin, path: &str, text: Option<&str>, problems: &mut Findings) {
    let Some(text) = text.filter(|text| !text.is_empty() && !is_open(text)) else { return };
    match duration::parse_ns(text) {
        Ok(ns) if ns >= 0 => {}
        Ok(_) => problems.push(origin.problem("bad-duration", path, format!("the duration {text} is negative"))),
        Err(error) => {
            let problem = origin.problem("bad-duration", path, error.to_string());
            problems.push(problem.expected("a duration such as 30s, 5m or 1h30m"));
        }
    }
}

/// The number of a count or limit; `None` while it is open. A text that is no number reads as 0.
//= compat: 3.1-4
fn number(limit: Option<&IntOrString>) -> Option<i64> {
    match limit {
        Some(IntOrString::String(text)) if is_open(text) => None,
        Some(limit) => Some(limit.int_value()),
        None => Some(0),
    }
}

//= compat: 3.4-2, 3.4-3, 3.4-4
fn limits(origin: &Origin, path: &str, metric: &Metric, problems: &mut Findings) {
    let fields = [
        ("count", &metric.count),
        ("failureLimit", &metric.failure_limit),
        ("inconclusiveLimit", &metric.inconclusive_limit),
        ("consecutiveErrorLimit", &metric.consecutive_error_limit),
        ("consecutiveSuccessLimit", &metric.consecutive_success_limit),
    ];
    for (field, value) in fields {
        if let Some(IntOrString::String(text)) = value
            && !is_open(text)
            && text.parse::<i64>().is_err()
        {
            let message = format!("{text:?} is no whole number and would read as 0");
            problems.push(origin.problem("invalid-value", &format!("{path}.{field}"), message));
        }
    }
    let mut wrong = |field: &str, message: String| {
        problems.push(origin.problem("impossible-limits", &format!("{path}.{field}"), message));
    };
    let [count, failures, inconclusive, errors, successes] = fields.map(|(_, value)| number(value.as_ref()));
    let negative = [
        ("inconclusiveLimit", inconclusive),
        ("consecutiveErrorLimit", errors),
        ("consecutiveSuccessLimit", successes),
    ];
    for (field, value) in negative {
        if value.is_some_and(|value| value < 0) {
            wrong(field, format!("{field} must be >= 0"));
        }
    }
    if failures.is_some_and(|failures| failures < -1) {
        wrong("failureLimit", "failureLimit must be >= -1".to_owned());
    }
    if failures == Some(-1) && successes == Some(0) {
        wrong("failureLimit", "failureLimit and consecutiveSuccessLimit cannot both be disabled".to_owned());
    }
    let Some(count) = count.filter(|count| *count > 0) else { return };
    if let (Some(failures @ 0..), Some(successes)) = (failures, successes)
        && count < failures + successes
    {
        wrong(
            "count",
            format!("count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failures} + {successes})"),
        );
    }
    if let (Some(-1), Some(successes)) = (failures, successes)
        && count < successes
    {
        wrong("count", format!("count ({count}) must be >= consecutiveSuccessLimit ({successes})"));
    }
    if inconclusive.is_some_and(|inconclusive| count < inconclusive) {
        wrong("count", format!("count ({count}) must be >= inconclusiveLimit ({})", inconclusive.unwrap_or_default()));
    }
    if count > 1 && metric.interval.as_deref().unwrap_or_default().is_empty() {
        wrong("interval", "interval must be specified when count > 1".to_owned());
    }
}

/// The names of the providers that are set.
pub(crate) fn providers(provider: &MetricProvider) -> Vec<&str> {
    let known = [
        ("prometheus", provider.prometheus.is_some()),
        ("web", provider.web.is_some()),
        ("job", provider.job.is_some()),
        ("kayenta", provider.kayenta.is_some()),
        ("datadog", provider.datadog.is_some()),
        ("wavefront", provider.wavefront.is_some()),
        ("newRelic", provider.new_relic.is_some()),
        ("cloudWatch", provider.cloud_watch.is_some()),
        ("graphite", provider.graphite.is_some()),
        ("influxdb", provider.influxdb.is_some()),
        ("skywalking", provider.skywalking.is_some()),
    ];
    let known = known.into_iter().filter(|(_, set)| *set).map(|(name, _)| name);
    known.chain(provider.plugin.keys().map(String::as_str)).collect()
}

//= compat: 3.4-5
fn provider(scope: &Scope<'_>, path: &str, provider: &MetricProvider, problems: &mut Findings) {
    let path = format!("{path}.provider");
    let names = providers(provider);
    match names.as_slice() {
        [] => {
            let problem = scope.origin.problem("no-provider", &path, "the metric has no provider");
            problems.push(problem.expected("exactly one, such as prometheus or web"));
        }
        [_] => {}
        several => {
            let message = format!("the metric has several providers: {}", several.join(", "));
            problems.push(scope.origin.problem("several-providers", &path, message).expected("exactly one"));
        }
    }
    if let Some(prometheus) = &provider.prometheus {
        self::prometheus(scope, &format!("{path}.prometheus"), prometheus, problems);
    }
    if let Some(web) = &provider.web {
        self::web(scope.origin, &format!("{path}.web"), web, problems);
    }
}

//= compat: 3.11-1, 3.11-2, 3.11-3, 3.11-4
fn prometheus(scope: &Scope<'_>, path: &str, prometheus: &PrometheusMetric, problems: &mut Findings) {
    let origin = scope.origin;
    address(origin, &format!("{path}.address"), prometheus.address.as_deref(), problems);
    if prometheus.timeout.is_some_and(|timeout| timeout < 0) {
        let message = "timeout must not be negative (it is in seconds)";
        problems.push(origin.problem("invalid-value", &format!("{path}.timeout"), message));
    }
    if let Some(range) = &prometheus.range_query {
        for (field, value) in [("start", &range.start), ("end", &range.end), ("step", &range.step)] {
            if value.as_deref().unwrap_or_default().is_empty() {
                let message = format!("a range query needs {field}");
                problems.push(origin.problem("missing-field", &format!("{path}.rangeQuery.{field}"), message));
            }
        }
        duration(origin, &format!("{path}.rangeQuery.step"), range.step.as_deref(), problems);
    }
    let path = format!("{path}.query");
    match prometheus.query.as_deref().filter(|query| !query.trim().is_empty()) {
        None => problems.push(origin.problem("missing-field", &path, "the query is empty").expected("a PromQL query")),
        Some(text) => {
            let Some(filled) = scope.arguments.fill(text) else { return };
            let Err((message, start, end)) = (scope.query)(&filled.text) else { return };
            problems.push(inside(origin, "bad-query", &path, filled.original(start..end), message));
        }
    }
}

/// A problem with some bytes of the text at `path`.
pub(crate) fn inside(
    origin: &Origin,
    code: &'static str,
    path: &str,
    bytes: Range<usize>,
    message: impl Into<String>,
) -> Problem {
    let Some(node) = origin.node.at(path) else { return origin.problem(code, path, message) };
    let part = node.text().and_then(|text| text.get(bytes.start..bytes.end.max(bytes.start)));
    let spot = node.spot_inside(bytes.start, part.map_or(1, |part| part.chars().count().max(1)));
    origin.problem_at(code, spot, path, message)
}

fn address(origin: &Origin, path: &str, text: Option<&str>, problems: &mut Findings) {
    let Some(text) = text.filter(|text| !is_open(text)) else { return };
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
        let problem = origin.problem("bad-address", path, format!("{text:?} is no address with a scheme and a host"));
        problems.push(problem.expected("an address such as http://localhost:9090"));
    }
}

//= compat: 3.12-1, 3.12-2
fn web(origin: &Origin, path: &str, web: &WebMetric, problems: &mut Findings) {
    address(origin, &format!("{path}.url"), Some(&web.url), problems);
    let body = web.body.as_deref().is_some_and(|body| !body.is_empty());
    let json = web.json_body.is_some();
    if body && json {
        let message = "body and jsonBody must not both be set";
        problems.push(origin.problem("contradiction", &format!("{path}.jsonBody"), message));
    }
    let method = web.method.as_deref().filter(|method| !method.is_empty()).unwrap_or("GET");
    let methods = ["GET", "POST", "PUT"];
    if !methods.contains(&method) && !is_open(method) {
        let problem = origin.problem("bad-value", &format!("{path}.method"), format!("{method:?} is not allowed"));
        problems.push(problem.expected("one of GET, POST, PUT").maybe_hint(did_you_mean(method, methods)));
    }
    if (body || json) && method == "GET" {
        let field = if json { "jsonBody" } else { "body" };
        let problem = origin.problem("contradiction", &format!("{path}.{field}"), "a GET request has no body");
        problems.push(problem.hint("set method: POST"));
    }
}

/// Every placeholder in every text of a metric must name an argument.
//= compat: 3.2-8, 3.2-9
fn placeholders(scope: &Scope<'_>, node: &Node, path: &str, problems: &mut Findings) {
    match &node.kind {
        Kind::List(items) => {
            for (i, item) in items.iter().enumerate() {
                placeholders(scope, item, &format!("{path}[{i}]"), problems);
            }
        }
        Kind::Map(fields) => {
            for field in fields {
                placeholders(scope, &field.node, &join(path, &field.key), problems);
            }
        }
        Kind::Text(text) => scope.arguments.check(scope.origin, node, text, path, problems),
        _ => {}
    }
}
