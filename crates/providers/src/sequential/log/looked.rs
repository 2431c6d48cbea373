//! What a look and a run are in a log.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_core::analysis::{Measurement, RunSpec, RunStatus};
use serin_spec::recipe::{self, Source};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::provider::Metric;

use super::{Concluded, Entry, How, MetricLook, Origin, Remembered, RunBegun, digest, origin, verdict};
use crate::sequential::{Look, STATE, Taken, judged_until, last, metric};

/// What a person gives a server to log in with, which nobody needs to replay anything.
const CREDENTIALS: [&str; 2] = ["authentication", "headers"];

/// A run as it begins. `masked` is its spec with stars for secrets.
pub fn begun(run: &str, kind: &str, at_ms: i64, masked: &AnalysisRunSpec) -> RunBegun {
    let (sequential, others): (Vec<&Metric>, Vec<&Metric>) =
        masked.metrics.iter().partition(|m| recipe::is_sequential(m));
    let metrics = sequential.into_iter().cloned().map(without_credentials).collect();
    let args = masked.args.iter().filter(|arg| arg.value_from.is_none()).cloned().collect();
    RunBegun {
        run: run.to_owned(),
        kind: kind.to_owned(),
        at_ms,
        spec: AnalysisRunSpec { metrics, args, terminate: false, ..masked.clone() },
        remembered: BTreeMap::new(),
        others: others.into_iter().map(|metric| metric.name.clone()).collect(),
    }
}

impl RunBegun {
    /// The same in the midst of the run.
    pub fn going_on(mut self, spec: &RunSpec, status: &RunStatus) -> Self {
        let open = |index: usize| last(spec, status, index);
        let remembered = self.spec.metrics.iter().filter_map(|metric| {
            let index = spec.metrics.iter().position(|one| one.name == metric.name)?;
            let measurement = open(index)?;
            let state = measurement.metadata.get(STATE)?.clone();
            Some((metric.name.clone(), Remembered { since_ms: measurement.started.as_millis(), state }))
        });
        self.remembered = remembered.collect();
        self
    }
}

/// The end of a run, from the status that is written.
pub fn concluded(run: &str, spec: &RunSpec, status: &RunStatus) -> Concluded {
    let of = |metric: &serin_core::analysis::Metric| {
        let last = status.metric(&metric.name)?.measurements.last()?;
        Some((metric.name.clone(), origin(last)))
    };
    let metrics: BTreeMap<String, Origin> = spec.metrics.iter().filter(|m| m.sequential).filter_map(of).collect();
    let ended = metrics.values().filter_map(|origin| origin.until_ms).max();
    let at_ms = status.completed.map(|at| at.as_millis()).or(ended).unwrap_or_default();
    Concluded { run: run.to_owned(), at_ms, metrics }
}

fn without_credentials(mut metric: Metric) -> Metric {
    for settings in metric.provider.plugin.values_mut() {
        if let Some(Value::Object(server)) = settings.get_mut("prometheus") {
            server.retain(|name, _| !CREDENTIALS.contains(&name.as_str()));
        }
    }
    metric
}

/// A look: the seconds that were judged, then what came of it. `newest` is the router's last batch then, and `redact` takes secrets out of messages.
pub fn looked(look: &Look<'_>, run: &str, newest: u64, taken: &[Taken], redact: &dyn Fn(&str) -> String) -> Vec<Entry> {
    let mut seconds = BTreeMap::new();
    let mut metrics = Vec::new();
    for one in taken {
        let Some(name) = look.spec.metrics.get(one.index).map(|metric| metric.name.clone()) else { continue };
        let measurement = &one.measurement;
        let how = match (digest(measurement), verdict(measurement), seq(measurement)) {
            _ if measurement.message == "Metric Terminated" => How::Stopped,
            (Some(state), Some(verdict), Some(until)) if measurement.phase.as_str() != "Error" => {
                let before = judged_until(look.spec, look.status, one.index);
                let router = matches!(metric(look.filled, one.index), Some(Ok(s)) if s.source == Source::Router);
                if router {
                    seconds.extend(one.judged.iter().map(|batch| (batch.seq, batch)));
                }
                How::Judged {
                    fresh: before.is_none(),
                    after: before.unwrap_or(newest),
                    until,
                    batches: if router { Vec::new() } else { one.judged.clone() },
                    verdict,
                    state,
                }
            }
            _ => How::Broken,
        };
        let message = if measurement.finished.is_some() { redact(&measurement.message) } else { String::new() };
        let from = last(look.spec, look.status, one.index).map(origin);
        metrics.push(MetricLook { metric: name, from, how, phase: measurement.phase.as_str().to_owned(), message });
    }
    let mut entries: Vec<Entry> = seconds.into_values().map(|batch| Entry::Second(Box::new(batch.clone()))).collect();
    let (at_ms, window) = (look.now.as_millis(), look.window.to_string());
    entries.push(Entry::Look(super::Look { run: run.to_owned(), at_ms, window, metrics }));
    entries
}

/// The last batch that a measurement has judged.
pub(crate) fn seq(measurement: &Measurement) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Seq {
        seq: u64,
    }
    serde_json::from_str::<Seq>(measurement.metadata.get(STATE)?).ok().map(|state| state.seq)
}
