//! Lints of PromQL queries: here, because the manifests and the language meet here.

mod counters;
mod histogram;
mod reach;
mod versions;

use serin_promql::{Facts, Oddity, OddityKind, Quantity, Reads};
use serin_spec::lint::{LATEST, Limit, Query, STABLE, queries};
use serin_spec::{Catalog, Problem};

pub use histogram::{ROUTER_BUCKETS, ROUTER_BUCKETS_S};

/// Labels whose usual values tell versions, or single members, apart.
const VERSION_LABELS: [&str; 22] = [
    "canary",
    "color",
    "colour",
    "deployment",
    "image",
    "image_tag",
    "instance",
    "model_version",
    "pod",
    "pod_name",
    "pod_template_hash",
    "release",
    "replicaset",
    "revision",
    "role",
    "rollouts_pod_template_hash",
    "stage",
    "tag",
    "track",
    "variant",
    "version",
    "workload",
];

/// Words that name one of two versions, in the values of labels and in names of metrics.
const VERSION_WORDS: [&str; 8] =
    ["active", "baseline", "candidate", "canary", "latest", "preview", "primary", "stable"];

/// Latencies of services are below this many seconds; whoever writes more thinks of milliseconds.
const SECONDS_MAX: f64 = 50.0;

/// Findings in the queries of templates and runs, each as a warning; [`serin_spec::lint::Policy`] gives them their levels.
pub fn check(catalog: &Catalog) -> Vec<Problem> {
    let mut problems = Vec::new();
    for query in queries(catalog) {
        let read = |(at, text): (usize, &String)| Some((at, serin_promql::Query::parse(text).ok()?));
        let Some((reading, parsed)) = query.readings.iter().enumerate().find_map(read) else { continue };
        let found = Found { query: &query, reading, parsed: &parsed, facts: &parsed.facts() };
        found.versions(&mut problems);
        found.windows(&mut problems);
        found.limits(&mut problems);
        found.oddities(&mut problems);
        found.answer(&mut problems);
        found.buckets(&mut problems);
        found.base_rate(&mut problems);
    }
    counters::check(catalog, &mut problems);
    problems
}

/// One reading of a query.
struct Found<'q> {
    query: &'q Query,
    reading: usize,
    parsed: &'q serin_promql::Query,
    facts: &'q Facts,
}

impl Found<'_> {
    fn problem(&self, name: &'static str, (start, end): (usize, usize), message: String, hint: &str) -> Problem {
        self.query.problem(name, self.reading, start..end, message, hint)
    }

    fn selects(&self, reads: &Reads) -> bool {
        selects(reads, self.query.open)
    }

    fn limits(&self, problems: &mut Vec<Problem>) {
        let before = problems.len();
        for limit in &self.query.limits {
            let value = limit.threshold.value;
            let fraction = value > 0.0 && value < 1.0;
            let (name, message, hint) = match self.facts.quantity {
                Quantity::Seconds if value >= SECONDS_MAX => (
                    "wrong-unit",
                    format!("the query gives seconds: {value} of them is {}", long(value)),
                    format!("for {value} ms write {}", value / 1000.0),
                ),
                Quantity::Milliseconds if fraction => (
                    "wrong-unit",
                    format!("the query gives milliseconds, of which this is {value}"),
                    format!("for {value} s write {}", value * 1000.0),
                ),
                Quantity::Percent if fraction => (
                    "wrong-unit",
                    format!("the query gives percent, of which this is {value}"),
                    format!("for a share of {value} write {}", value * 100.0),
                ),
                Quantity::Share if value > 1.0 => (
                    "share-out-of-range",
                    "the query gives a share, which is never more than 1".to_owned(),
                    format!("for {value}% write {}", value / 100.0),
                ),
                _ => continue,
            };
            problems.push(self.limit(name, limit, message, hint));
        }
        // One that is in the wrong unit is out of reach for that reason.
        if problems.len() == before {
            self.reach(problems);
        }
    }

    fn limit(&self, name: &'static str, limit: &Limit, message: String, hint: String) -> Problem {
        self.query.limit_problem(name, limit, message, hint)
    }

    fn oddities(&self, problems: &mut Vec<Problem>) {
        for Oddity { kind, start, end } in &self.facts.oddities {
            let (name, message, hint) = match kind {
                OddityKind::RawCounter(name) => (
                    "raw-counter",
                    format!("{name} counts since its process started and only grows"),
                    "ask for the growth: rate(…[1m]) or increase(…[1m])",
                ),
                OddityKind::QuantileWithoutBound => (
                    "quantile-without-bound",
                    "the buckets are added up over their bounds, so no quantile can be found".to_owned(),
                    "keep the bound: sum by (le) (…)",
                ),
                OddityKind::QuantileOutOfRange(quantile) => (
                    "quantile-out-of-range",
                    format!("a quantile is between 0 and 1; {quantile} gives an infinity"),
                    "for the 95th percentile write 0.95",
                ),
                OddityKind::ShortRange(ms) => (
                    "short-range",
                    format!("in {} s there may be fewer than the two samples that a rate needs", *ms as f64 / 1000.0),
                    "a range of four scrape intervals, such as [1m], always has them",
                ),
            };
            problems.push(self.problem(name, (*start, *end), message, hint));
        }
    }

    fn answer(&self, problems: &mut Vec<Problem>) {
        let whole = (0, self.query.readings[self.reading].trim_end().len());
        if !self.facts.apart.is_empty() && self.query.first_only {
            let message =
                format!("there is one value per {}, and only the first is judged", self.facts.apart.join(", "));
            let hint = "add them up, or judge all: all(result, # < 0.05)";
            problems.push(self.problem("only-first-series", whole, message, hint));
        }
        let router = |reads: &Reads| reads.metric.starts_with(histogram::ROUTER_METRICS);
        if let (Some(needed), true) =
            (self.facts.needs_failures.iter().find(|r| !router(r)), self.query.errors_on_empty)
        {
            let message = "a version without such answers has no such series, so the answer is empty and an error: \
                           five in a row roll a perfect version back";
            let hint = "count none as 0: (sum(rate(…)) or vector(0))";
            problems.push(self.problem("needs-failures", (needed.start, needed.end), message.to_owned(), hint));
        }
        if self.facts.nan_when_idle && self.query.fails_on_nan {
            let message = "without requests the answer is NaN, which no limit lets pass: a quiet minute is a failure";
            let hint = "leave quiet times out: … / (… > 0), or compare the quantile: … >= 0";
            problems.push(self.problem("nan-fails", whole, message.to_owned(), hint));
        }
    }
}

/// Whether a selector looks at one version, or may do so once the arguments that `open` stands for are known.
fn selects(reads: &Reads, open: &str) -> bool {
    let says = |text: &str| {
        text.contains(LATEST)
            || text.contains(STABLE)
            || text.contains(open)
            || VERSION_WORDS.iter().any(|word| text.to_ascii_lowercase().contains(word))
    };
    let names = |label: &str| VERSION_LABELS.contains(&label);
    says(&reads.metric) || reads.conditions.iter().any(|condition| names(&condition.label) || says(&condition.value))
}

/// Seconds as a person says them.
fn long(s: f64) -> String {
    match s {
        _ if s < 120.0 => format!("{s} s"),
        _ if s < 7200.0 => format!("{:.0} minutes", s / 60.0),
        _ => format!("{:.0} hours", s / 3600.0),
    }
}
