//! What the router has to record besides the counts of versions, for the tests that run now: slices, and single predictions where their truth is to come.

use std::collections::BTreeMap;

use serin_providers::sequential::is_about_truth;
use serin_proxy::Table;
use serin_proxy::table::{Record, Route, SLICES_MAX, Slice};
use serin_spec::recipe::{self, SliceField};

use super::Engine;
use super::sequential::routes;
use crate::labels::PREDICTIONS_KEPT;

/// What one rollout's routes record.
#[derive(Debug, Default)]
struct Recording {
    slices: Vec<Slice>,
    record: Option<Record>,
}

impl Engine {
    /// Tells the routes what to record.
    pub(super) fn record(&self, table: &mut [Route]) {
        let recordings = self.recordings();
        for route in table {
            if let Some(recording) = recordings.get(&route.name) {
                let mut wanted = route.clone();
                wanted.slices.clone_from(&recording.slices);
                // Without a prediction there is nothing to keep; what asked for it says that it got none.
                wanted.record = recording.record.filter(|_| route.prediction.is_some());
                // A table is taken as a whole or not at all, and traffic must not depend on what a test wants to know.
                let alone = Table { version: 1, routes: vec![wanted.clone()] };
                match alone.validate().first() {
                    None => *route = wanted,
                    Some(problem) => tracing::warn!("what a test asks to be recorded cannot be: {problem}"),
                }
            }
        }
    }

    /// What the open runs ask for, by the name of the route.
    fn recordings(&self) -> BTreeMap<String, Recording> {
        let mut all: BTreeMap<String, Recording> = BTreeMap::new();
        for run in self.runs.values().filter(|run| !run.status.phase.is_completed()) {
            let Some(workload) = run.owner.as_ref().and_then(|owner| self.workloads.get(owner)) else { continue };
            let wanted: Vec<recipe::Sequential> =
                run.spec.metrics.iter().filter_map(recipe::of).filter_map(Result::ok).collect();
            if wanted.is_empty() {
                continue;
            }
            for name in routes(workload) {
                let recording = all.entry(name).or_default();
                for sequential in &wanted {
                    recording.want(sequential);
                }
            }
        }
        all
    }
}

impl Recording {
    fn want(&mut self, sequential: &recipe::Sequential) {
        if let Some(field) = &sequential.slice {
            let slice = slice(field);
            let known = self.slices.iter().any(|known| known.name == slice.name);
            if !known && self.slices.len() < SLICES_MAX {
                self.slices.push(slice);
            }
        }
        if is_about_truth(&sequential.recipe.test) {
            self.record = Some(Record { capacity: PREDICTIONS_KEPT });
        }
    }
}

fn slice(field: &SliceField) -> Slice {
    let name = field.name();
    match field.clone() {
        SliceField::Header(header) => Slice { name, header: Some(header), ..Slice::default() },
        SliceField::RequestField(path) => Slice { name, request_field: Some(path), ..Slice::default() },
        SliceField::AnswerField(path) => Slice { name, answer_field: Some(path), ..Slice::default() },
    }
}
