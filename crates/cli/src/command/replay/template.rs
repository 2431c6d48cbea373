//! What another template would have done with the same requests.

use std::path::PathBuf;

use serde::Serialize;
use serin_providers::sequential::log::RunBegun;
use serin_providers::sequential::what_if::WhatIf;
use serin_spec::arguments;
use serin_spec::wire::analysis::{AnalysisRunSpec, AnalysisTemplateSpec, Argument};

use super::Seen;
use crate::command::lint;
use crate::error::CliError;
use crate::judged::LogFile;
use crate::judged::verdicts::{Row, Verdicts};

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tried {
    name: String,
    verdicts: Vec<Row>,
    /// Metrics that the log has nothing for, and why.
    not_replayable: Vec<(String, String)>,
    /// The second at which it would have rolled back, and the canary's requests that had failed by then.
    rolled_back: Option<Moment>,
    /// The same of the update as it was.
    happened: Option<Moment>,
    /// Failed requests of the canary in the whole log.
    failed_requests: Option<u64>,
}

/// When a version was found to be bad.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Moment {
    second: f64,
    failed_requests: Option<u64>,
}

/// Tries the template on a log that was read.
pub(super) fn tried(
    named: &str,
    given: &[(String, String)],
    log: &mut LogFile,
    seen: &Seen,
) -> Result<Tried, CliError> {
    let (name, template) = template(named)?;
    let update = seen.update()?;
    let first = seen.replay.runs().min_by_key(|run| run.at_ms);
    let metrics = filled(&name, template, given, first)?;
    let goes_on = first.is_some_and(|run| run.kind == "Background");
    let mut what_if = WhatIf::new(metrics, goes_on);
    let mut verdicts = Verdicts::new(update.begun_ms);
    log.play(|entry| verdicts.take(&what_if.take(entry)))?;
    verdicts.take(&what_if.finish());
    let mut rows = verdicts.finish();
    rows.iter_mut().for_each(|row| row.failed_requests = seen.failed.until(row.at_ms));
    for metric in what_if.metrics() {
        if !rows.iter().any(|row| row.metric == metric) {
            what_if_missing(&mut rows, metric);
        }
    }
    Ok(Tried {
        name,
        rolled_back: bad(&rows),
        happened: bad(&seen.rows()),
        verdicts: rows,
        not_replayable: what_if.unanswered.clone(),
        failed_requests: seen.failed.until(i64::MAX),
    })
}

/// A metric that the log had nothing for: its counters are others.
fn what_if_missing(rows: &mut Vec<Row>, metric: &str) {
    rows.push(Row {
        run: String::new(),
        metric: metric.to_owned(),
        verdict: "noData",
        phase: "Running",
        second: 0.0,
        weight: "-".to_owned(),
        text: "the log has nothing that it could judge".to_owned(),
        failed_requests: None,
        at_ms: 0,
    });
}

/// The first verdict that ends a rollout.
fn bad(rows: &[Row]) -> Option<Moment> {
    let first = rows.iter().filter(|row| row.phase == "Failed").min_by(|a, b| a.second.total_cmp(&b.second))?;
    Some(Moment { second: first.second, failed_requests: first.failed_requests })
}

/// The template that is meant by `FILE` or `FILE:NAME`.
fn template(named: &str) -> Result<(String, AnalysisTemplateSpec), CliError> {
    let whole = PathBuf::from(named);
    let (path, name) = match named.rsplit_once(':') {
        Some((path, name)) if !whole.exists() => (PathBuf::from(path), Some(name)),
        _ => (whole, None),
    };
    if !path.exists() {
        return Err(CliError::usage(
            format!("there is no file {}", path.display()),
            "--template takes FILE or FILE:NAME",
        ));
    }
    let (sources, mut problems) = serin_spec::read::files(&[path]);
    let (catalog, found) = serin_local::check_for_cluster(&sources);
    // What the other objects of the file name may lie elsewhere.
    problems.extend(found.into_iter().filter(|problem| !problem.code.starts_with("missing-")));
    lint::refuse(&problems, &sources, "replayed")?;
    let namespaced = catalog.analysis_templates.iter().map(|e| (e.object.metadata.name(), &e.object.spec));
    let wide = catalog.cluster_analysis_templates.iter().map(|e| (e.object.metadata.name(), &e.object.spec));
    let all: Vec<(&str, &AnalysisTemplateSpec)> = namespaced.chain(wide).collect();
    let meant: Vec<_> = all.iter().filter(|(n, _)| name.is_none_or(|name| name == *n)).collect();
    match meant.as_slice() {
        [(name, spec)] => Ok(((*name).to_owned(), (*spec).clone())),
        [] if all.is_empty() => {
            Err(CliError::usage(format!("there is no AnalysisTemplate in {named}"), "give the file of one"))
        }
        _ => {
            let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            Err(CliError::usage(
                format!("which template of {named} is meant?"),
                format!("write FILE:NAME with one of {}", names.join(", ")),
            ))
        }
    }
}

/// Its metrics, filled in with what was given, what the run had, or what the template itself says.
fn filled(
    name: &str,
    template: AnalysisTemplateSpec,
    given: &[(String, String)],
    run: Option<&RunBegun>,
) -> Result<Vec<serin_spec::wire::provider::Metric>, CliError> {
    if let Some((unknown, _)) = given.iter().find(|(name, _)| !template.args.iter().any(|arg| arg.name == *name)) {
        return Err(CliError::usage(format!("template {name} has no argument \"{unknown}\""), "see its spec.args"));
    }
    let had = run.map_or(&[][..], |run| &run.spec.args);
    let value = |arg: &Argument| {
        let given = given.iter().find(|(name, _)| *name == arg.name).map(|(_, value)| value.clone());
        let had = had.iter().find(|had| had.name == arg.name).and_then(|had| had.value.clone());
        given.or(had).or_else(|| arg.value.clone())
    };
    let args = template.args.iter().map(|arg| match value(arg) {
        Some(value) => Argument { name: arg.name.clone(), value: Some(value), value_from: None },
        None => arg.clone(),
    });
    let spec = AnalysisRunSpec { args: args.collect(), metrics: template.metrics, ..AnalysisRunSpec::default() };
    let filled = arguments::fill_masked(&spec).map_err(|error| {
        CliError::usage(format!("template {name} cannot be filled in: {error}"), "give it with --arg NAME=VALUE")
    })?;
    Ok(filled.metrics)
}

impl Tried {
    pub(super) fn text(&self) -> String {
        let mut out = vec![
            format!("With template {} instead:", self.name),
            String::new(),
            super::rows(&self.verdicts),
            String::new(),
        ];
        out.extend(self.not_replayable.iter().map(|(metric, why)| format!("{metric} is not replayable: {why}.")));
        out.push(format!("As it was:  {}", told(self.happened, self.failed_requests)));
        out.push(format!("With {}:  {}", self.name, told(self.rolled_back, self.failed_requests)));
        out.join("\n")
    }
}

fn told(moment: Option<Moment>, all: Option<u64>) -> String {
    let failed =
        |n: Option<u64>| n.map_or_else(String::new, |n| format!(", {n} requests of the new version failed by then"));
    match moment {
        Some(moment) => format!("failed at second {:.0}{}", moment.second, failed(moment.failed_requests)),
        None => {
            let all = all.map_or_else(String::new, |n| format!(", in which {n} requests of the new version failed"));
            format!("not failed in the time of the log{all}")
        }
    }
}
