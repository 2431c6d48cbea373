//! Counters of comparisons as they will be asked, each with its arguments filled in and the way back to its place.

use std::ops::Range;
use std::sync::Arc;

use super::query::{STAND_INS, each_metric, finding};
use crate::catalog::{Catalog, Origin};
use crate::check::arguments::{Arguments, Filled};
use crate::problem::Problem;
use crate::recipe;
use crate::wire::provider::Metric;

/// One counter as one user of its template asks it.
pub struct Counter {
    /// The query with every argument filled in, as [`super::Query::readings`].
    pub readings: Vec<String>,
    /// Text that stands for a value that nobody knows yet.
    pub open: &'static str,
    /// A rollout or experiment asks it, so it is known what every argument is.
    pub used: bool,
    filled: Vec<Filled>,
    origin: Arc<Origin>,
    path: String,
}

impl Counter {
    /// A finding in bytes of a reading.
    pub fn problem(
        &self,
        name: &'static str,
        reading: usize,
        bytes: Range<usize>,
        message: String,
        hint: &str,
    ) -> Problem {
        finding(&self.origin, (name, &self.path), self.filled.get(reading), bytes, message, hint)
    }
}

/// Every counter of a catalogue, once for each use and once for each template that nothing uses.
pub fn counters(catalog: &Catalog) -> Vec<Counter> {
    let mut counters = Vec::new();
    each_metric(catalog, &mut |origin, path, metric, arguments, group| {
        counters.extend(of_metric(origin, path, metric, arguments, !group.is_empty()));
    });
    counters
}

fn of_metric(origin: &Arc<Origin>, path: &str, metric: &Metric, arguments: &Arguments<'_>, used: bool) -> Vec<Counter> {
    let Some((name, settings)) = recipe::settings(metric) else { return Vec::new() };
    let each = ["canary", "stable"].into_iter().flat_map(|arm| ["bad", "total"].map(|counter| (arm, counter)));
    let each = each.filter_map(|(arm, counter)| {
        let text = settings.get("prometheus")?.get(arm)?.get(counter)?.as_str()?;
        let filled: Vec<Filled> = STAND_INS.iter().filter_map(|stand_in| arguments.fill_or(text, stand_in)).collect();
        Some(Counter {
            readings: filled.iter().map(|filled| filled.text.clone()).collect(),
            open: STAND_INS[0],
            used,
            filled,
            origin: origin.clone(),
            path: format!("{path}.provider.plugin[{name}].prometheus.{arm}.{counter}"),
        })
    });
    each.collect()
}
