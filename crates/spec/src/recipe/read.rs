//! From the settings under a plugin's name to a recipe.

use std::cell::RefCell;

use serde_json::Value;
use serin_core::rollout::Undecided;
use serin_stats::recipe::{Budget, Distribution, Outcome, Paired, Recipe, Test};
use serin_stats::sketch::latency;
use serin_stats::two_arm::Line;

use super::fields::{Amount, Fields, amount};
use super::{COMPARE, Counters, DRIFT, RecipeProblem, SHADOW, Sequential, SliceField, Source, WITHIN};
use crate::check::did_you_mean;
use crate::duration;
use crate::wire::provider::PrometheusMetric;

/// "No worse than stable by more than a point", where nothing else is said.
const ERRORS_TOLERANCE: f64 = 0.01;
/// A fifth slower than stable.
const LATENCY_TOLERANCE: f64 = 0.2;
/// Points that the share of a class may move.
const CLASSES_TOLERANCE: f64 = 0.03;
/// Points that the share of any set of classes, or a distribution function, may move.
const DISTRIBUTION_TOLERANCE: f64 = 0.05;
/// Pairs of answers that may differ.
const AGREEMENT_TOLERANCE: f64 = 0.05;
/// Most classes that may be named. Each costs a part of the evidence.
const CLASSES_MAX: usize = 20;

/// Fields that every recipe has.
const SHARED: [&str; 8] = ["alpha", "beta", "within", "horizon", "weight", "undecided", "minBad", "resolved"];

/// Reads the settings of the recipe of this name.
///
/// # Errors
/// Every problem, each with its path within the settings.
pub fn read(name: &str, value: &Value) -> Result<Sequential, Vec<RecipeProblem>> {
    let problems = RefCell::new(Vec::new());
    let known: &[&str] = match name {
        COMPARE => &["outcome", "worse", "tolerance", "limit", "quantiles", "slice", "prometheus"],
        DRIFT => &["of", "classes", "tolerance"],
        _ => &["of", "tolerance"],
    };
    let known: Vec<&str> = known.iter().chain(&SHARED).copied().collect();
    let fields = Fields::new(value, "", &known, &problems);
    let (test, slice, source) = match name {
        COMPARE => compare(&fields, &problems),
        DRIFT => (drift(&fields), None, Source::Router),
        SHADOW => (shadow(&fields), None, Source::Router),
        other => {
            fields.problem("", &format!("there is no recipe {other:?}"), None, did_you_mean(other, super::NAMES));
            (Test::Limit { outcome: Outcome::Errors, limit: 0.5 }, None, Source::Router)
        }
    };
    let defaults = Budget::default();
    let within = fields.span("within", WITHIN);
    let budget = Budget {
        alpha: fields.share("alpha", (0.0, 0.5), defaults.alpha),
        beta: fields.share("beta", (0.0, 0.5), defaults.beta),
        share: 1.0,
        horizon_ms: fields.span("horizon", serin_core::Span::from_millis(defaults.horizon_ms)).as_millis(),
        bad_min: fields.positive("minBad", f64::from(defaults.bad_min)).ceil() as u32,
    };
    let undecided = [("hold", Undecided::Hold), ("promote", Undecided::Promote), ("rollback", Undecided::RollBack)];
    let sequential = Sequential {
        recipe: Recipe { test, budget, slice: slice.as_ref().map(SliceField::name) },
        source,
        slice,
        within,
        undecided: fields.word("undecided", &undecided, Undecided::Hold),
        weight: fields.positive("weight", 1.0),
        paired: name == SHADOW,
    };
    let problems = problems.into_inner();
    if problems.is_empty() { Ok(sequential) } else { Err(problems) }
}

fn compare(fields: &Fields<'_>, problems: &RefCell<Vec<RecipeProblem>>) -> (Test, Option<SliceField>, Source) {
    let slice = fields.get("slice").and_then(|value| slice(value, problems));
    let source = match fields.get("prometheus") {
        None => Source::Router,
        Some(value) => counters(value, problems).map_or(Source::Router, |c| Source::Counters(Box::new(c))),
    };
    if matches!(source, Source::Counters(_)) {
        for name in ["outcome", "worse", "quantiles", "slice"].into_iter().filter(|name| fields.has(name)) {
            let message = "counters say by themselves what is bad";
            fields.problem(name, message, None, Some(format!("remove {name}, or the counters")));
        }
        return (shares(fields, Outcome::Errors), None, source);
    }
    let test = match outcome(fields) {
        Found::Latency => latency_test(fields),
        Found::Bad(outcome) => {
            if fields.has("quantiles") {
                fields.problem("quantiles", "only latencies have quantiles", None, Some("outcome: latency".to_owned()));
            }
            shares(fields, outcome)
        }
    };
    (test, slice, source)
}

enum Found {
    Bad(Outcome),
    Latency,
}

fn outcome(fields: &Fields<'_>) -> Found {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        Errors,
        Latency,
        Missing,
        Wrong,
    }
    let lower = fields.word("worse", &[("higher", false), ("lower", true)], false);
    if let Some(class) = fields.get("outcome").and_then(|value| value.get("class")) {
        let class = match class {
            Value::String(class) if !class.is_empty() => class.clone(),
            Value::Number(_) | Value::Bool(_) => class.to_string(),
            other => {
                fields.problem("outcome.class", &format!("{other} is no class"), Some("the name of a class"), None);
                String::new()
            }
        };
        return Found::Bad(if lower { Outcome::NotClass(class) } else { Outcome::Class(class) });
    }
    let words = [
        ("errors", Word::Errors),
        ("latency", Word::Latency),
        ("missingPrediction", Word::Missing),
        ("wrongPrediction", Word::Wrong),
    ];
    let word = fields.word("outcome", &words, Word::Errors);
    if lower {
        fields.problem("worse", "fewer of these are never worse", Some("higher"), Some("remove it".to_owned()));
    }
    match word {
        Word::Errors => Found::Bad(Outcome::Errors),
        Word::Latency => Found::Latency,
        Word::Missing => Found::Bad(Outcome::MissingPrediction),
        Word::Wrong => Found::Bad(Outcome::Wrong),
    }
}

/// A share of bad outcomes: against stable, or against a limit.
fn shares(fields: &Fields<'_>, outcome: Outcome) -> Test {
    if !fields.has("limit") {
        return Test::Compare { outcome, lines: lines(fields) };
    }
    if fields.has("tolerance") {
        let hint = "use two metrics to have both; each can fail the rollout".to_owned();
        fields.problem("limit", "a metric has either a tolerance or a limit", None, Some(hint));
    }
    Test::Limit { outcome, limit: fields.share("limit", (0.0, 1.0), 0.5) }
}

/// The tolerances, each a line. Zero is none: an equal canary could never pass.
fn lines(fields: &Fields<'_>) -> Vec<Line> {
    let Some(value) = fields.get("tolerance") else { return vec![Line { ratio: 1.0, delta: ERRORS_TOLERANCE }] };
    let absolute = |name: &str, share: f64| match share {
        share if share > 0.0 && share < 1.0 => Some(Line { ratio: 1.0, delta: share }),
        share => {
            fields.problem(name, &problem_of(share), Some("more than 0 and less than 100 points, such as 1pt"), None);
            None
        }
    };
    let relative = |name: &str, share: f64| match share {
        share if share > 0.0 && share.is_finite() => Some(Line { ratio: 1.0 + share, delta: 0.0 }),
        share => {
            fields.problem(name, &problem_of(share), Some("more than 0 %, such as 50%"), None);
            None
        }
    };
    if let Some(both) = value.as_object() {
        let mut found = Vec::new();
        for (name, value) in both {
            let line = match (name.as_str(), amount(value)) {
                ("absolute", Some(Amount::Share(share) | Amount::Percent(share))) => {
                    absolute("tolerance.absolute", share)
                }
                ("relative", Some(Amount::Share(share) | Amount::Percent(share))) => {
                    relative("tolerance.relative", share)
                }
                ("absolute" | "relative", None) => {
                    let path = format!("tolerance.{name}");
                    fields.problem(&path, &format!("{value} is no tolerance"), Some("such as 1pt or 50%"), None);
                    None
                }
                (other, _) => {
                    let hint = did_you_mean(other, ["absolute", "relative"]);
                    fields.problem(&format!("tolerance.{other}"), &format!("unknown field {other:?}"), None, hint);
                    None
                }
            };
            found.extend(line);
        }
        if found.is_empty() && both.is_empty() {
            fields.problem("tolerance", "nothing is said", Some("absolute, relative or both"), None);
        }
        return found;
    }
    match amount(value) {
        Some(Amount::Share(share)) => absolute("tolerance", share).into_iter().collect(),
        Some(Amount::Percent(share)) => relative("tolerance", share).into_iter().collect(),
        None => {
            let hint = "1pt is one point more than stable, 50% half as many again".to_owned();
            fields.problem("tolerance", &format!("{value} is no tolerance"), Some("such as 1pt or 50%"), Some(hint));
            Vec::new()
        }
    }
}

fn problem_of(share: f64) -> String {
    match share {
        0.0 => "without any tolerance a version that is just as good could never pass".to_owned(),
        share if share < 0.0 => format!("{share} is below 0"),
        share => format!("{share} tolerates everything"),
    }
}

fn latency_test(fields: &Fields<'_>) -> Test {
    let quantiles = quantiles(fields);
    if let Some(limit) = fields.get("limit") {
        if fields.has("tolerance") {
            fields.problem("limit", "a metric has either a tolerance or a limit", None, None);
        }
        if quantiles.len() != 1 {
            fields.problem("quantiles", "a limit is about one quantile", Some("one quantile, such as [0.95]"), None);
        }
        let us = limit.as_str().and_then(|text| duration::parse_ns(text).ok()).map(|ns| ns / 1000).filter(|us| *us > 0);
        let Some(us) = us.and_then(|us| u64::try_from(us).ok()) else {
            fields.problem("limit", &format!("{limit} is no duration above 0"), Some("such as 500ms"), None);
            return Test::Limit { outcome: Outcome::Errors, limit: 0.5 };
        };
        if latency::upper_us(latency::bin(us)).is_none() {
            fields.problem("limit", "latencies are not told apart beyond two minutes", Some("less than 120s"), None);
        }
        // "The 95th percentile is at most x" is "at most 5 % are slower than x".
        let share = 1.0 - quantiles.first().copied().unwrap_or(0.95);
        return Test::Limit { outcome: Outcome::SlowerThan(us), limit: share };
    }
    let tolerance = relative(fields, LATENCY_TOLERANCE);
    Test::Slower { quantiles, tolerance }
}

/// A tolerance that can only be relative.
fn relative(fields: &Fields<'_>, default: f64) -> f64 {
    let Some(value) = fields.get("tolerance") else { return default };
    match amount(value) {
        Some(Amount::Percent(share) | Amount::Share(share)) if share > 0.0 && share <= 10.0 => share,
        _ => {
            fields.problem("tolerance", &format!("{value} is no tolerance of latencies"), Some("such as 20%"), None);
            default
        }
    }
}

fn quantiles(fields: &Fields<'_>) -> Vec<f64> {
    let Some(value) = fields.get("quantiles") else { return vec![0.95] };
    let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let mut found = Vec::new();
    for (i, one) in list.iter().enumerate() {
        match one.as_f64().filter(|q| *q > 0.0 && *q < 1.0) {
            Some(q) if !found.contains(&q) => found.push(q),
            Some(_) => fields.problem(&format!("quantiles[{i}]"), "the quantile stands twice", None, None),
            None => {
                let hint = "0.95 is the 95th percentile".to_owned();
                let message = format!("{one} is no quantile");
                fields.problem(&format!("quantiles[{i}]"), &message, Some("above 0 and below 1"), Some(hint));
            }
        }
    }
    if list.is_empty() {
        fields.problem("quantiles", "the list is empty", Some("such as [0.5, 0.95, 0.99]"), None);
    }
    found
}

/// A tolerance in points.
fn points(fields: &Fields<'_>, default: f64) -> f64 {
    let Some(value) = fields.get("tolerance") else { return default };
    match amount(value) {
        Some(Amount::Share(share) | Amount::Percent(share)) if share > 0.0 && share < 1.0 => share,
        Some(Amount::Share(share) | Amount::Percent(share)) => {
            fields.problem("tolerance", &problem_of(share), Some("more than 0 and less than 100 points"), None);
            default
        }
        None => {
            fields.problem("tolerance", &format!("{value} is no tolerance"), Some("points, such as 3pt"), None);
            default
        }
    }
}

fn drift(fields: &Fields<'_>) -> Test {
    let words = [("classes", 0), ("totalVariation", 1), ("numbers", 2)];
    let of = fields.word("of", &words, 0);
    let named = classes(fields);
    if of != 0 && !named.is_empty() {
        fields.problem("classes", "only a drift of classes names them", None, Some("of: classes".to_owned()));
    }
    let (of, default) = match of {
        0 => (Distribution::Classes(named), CLASSES_TOLERANCE),
        1 => (Distribution::TotalVariation, DISTRIBUTION_TOLERANCE),
        _ => (Distribution::Numbers, DISTRIBUTION_TOLERANCE),
    };
    Test::Drift { of, tolerance: points(fields, default) }
}

fn classes(fields: &Fields<'_>) -> Vec<String> {
    let Some(value) = fields.get("classes") else { return Vec::new() };
    let Some(list) = value.as_array() else {
        fields.problem("classes", &format!("{value} is no list"), Some("a list of class names"), None);
        return Vec::new();
    };
    if list.len() > CLASSES_MAX {
        let hint = "of: totalVariation watches any number of classes at once".to_owned();
        let message = format!("{} classes are too many to watch one by one", list.len());
        fields.problem("classes", &message, Some(&format!("at most {CLASSES_MAX}")), Some(hint));
        return Vec::new();
    }
    let mut named: Vec<String> = Vec::new();
    for (i, one) in list.iter().enumerate() {
        let name = match one {
            Value::String(name) if !name.is_empty() => name.clone(),
            Value::Number(_) | Value::Bool(_) => one.to_string(),
            other => {
                fields.problem(&format!("classes[{i}]"), &format!("{other} is no class"), Some("its name"), None);
                continue;
            }
        };
        if named.contains(&name) {
            fields.problem(&format!("classes[{i}]"), &format!("the class {name:?} stands twice"), None, None);
        } else {
            named.push(name);
        }
    }
    named
}

fn shadow(fields: &Fields<'_>) -> Test {
    let words = [
        ("errors", Paired::Errors),
        ("classes", Paired::Classes),
        ("agreement", Paired::Agreement),
        ("latency", Paired::Latency),
    ];
    let of = fields.word("of", &words, Paired::Errors);
    let tolerance = match of {
        Paired::Errors => points(fields, ERRORS_TOLERANCE),
        Paired::Classes => points(fields, CLASSES_TOLERANCE),
        Paired::Agreement => points(fields, AGREEMENT_TOLERANCE),
        Paired::Latency => relative(fields, LATENCY_TOLERANCE),
    };
    Test::Shadow { of, tolerance }
}

fn slice(value: &Value, problems: &RefCell<Vec<RecipeProblem>>) -> Option<SliceField> {
    let fields = Fields::new(value, "slice", &["header", "requestField", "answerField"], problems);
    let found = [
        fields.text("header").map(|name| SliceField::Header(name.to_owned())),
        fields.text("requestField").map(|path| SliceField::RequestField(path.to_owned())),
        fields.text("answerField").map(|path| SliceField::AnswerField(path.to_owned())),
    ];
    let mut found = found.into_iter().flatten();
    let first = found.next();
    if first.is_none() || found.next().is_some() {
        fields.problem("", "a slice is taken from one field", Some("one of header, requestField, answerField"), None);
        return None;
    }
    match &first {
        Some(SliceField::Header(name))
            if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) =>
        {
            fields.problem("header", &format!("{name:?} is no name of a header"), Some("such as x-country"), None);
        }
        Some(SliceField::RequestField(path) | SliceField::AnswerField(path)) if !path.starts_with("$.") => {
            let hint = format!("did you mean \"$.{}\"?", path.trim_start_matches(['$', '.']));
            fields.problem("", &format!("{path:?} is no place in a JSON body"), Some("such as $.country"), Some(hint));
        }
        _ => {}
    }
    first
}

fn counters(value: &Value, problems: &RefCell<Vec<RecipeProblem>>) -> Option<Counters> {
    let known = ["address", "authentication", "timeout", "insecure", "headers", "canary", "stable"];
    let fields = Fields::new(value, "prometheus", &known, problems);
    let mut server = value.clone();
    if let Some(map) = server.as_object_mut() {
        map.remove("canary");
        map.remove("stable");
        map.retain(|name, _| known.contains(&name.as_str()));
    }
    let server = serde_json::from_value::<PrometheusMetric>(server);
    if let Err(error) = &server {
        fields.problem("", &error.to_string(), None, None);
    }
    let arm = |name: &str| {
        let Some(value) = fields.get(name) else {
            fields.problem(name, "the field is missing", Some("bad and total, each a PromQL counter"), None);
            return None;
        };
        let path = fields.at(name);
        let arm = Fields::new(value, &path, &["bad", "total"], problems);
        for query in ["bad", "total"].into_iter().filter(|query| !arm.has(query)) {
            arm.problem(query, "the field is missing", Some("a PromQL expression of a counter"), None);
        }
        Some((arm.text("bad")?.to_owned(), arm.text("total")?.to_owned()))
    };
    let (canary, stable) = (arm("canary"), arm("stable"));
    let ((canary_bad, canary_total), (stable_bad, stable_total)) = (canary?, stable?);
    Some(Counters { server: server.ok()?, canary_bad, canary_total, stable_bad, stable_total })
}
