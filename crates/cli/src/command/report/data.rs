//! The numbers of a report, collected from a log that is played again.

use std::collections::BTreeMap;

use serde::Serialize;
use serin_core::analysis::RunPhase;
use serin_providers::sequential::log::{Entry, Event, Flaw, RunBegun, Settled};
use serin_providers::sequential::replay::{Judged, Played, Replay};
use serin_stats::batch::{Arm, Batch};
use serin_stats::judge::{Standing, Verdict};
use serin_stats::shift::Shift;
use serin_stats::sketch::latency;

use crate::error::CliError;
use crate::judged::verdicts::{Row, Verdicts};
use crate::output::tag;

/// Most points of a line: more cannot be seen.
const POINTS: usize = 400;

/// Everything that a report shows. Times are seconds on the rollout's clock since the update began.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Data {
    pub(super) rollout: String,
    pub(super) revision: u64,
    pub(super) canary: String,
    pub(super) stable: String,
    /// What happened, in one sentence.
    pub(super) summary: String,
    /// What the log lacks, or what came to something else when it was played again.
    pub(super) notes: Vec<String>,
    pub(super) seconds: f64,
    pub(super) ended: bool,
    pub(super) places: Vec<PlacePoint>,
    pub(super) events: Vec<EventPoint>,
    pub(super) traffic: Vec<TrafficPoint>,
    pub(super) metrics: Vec<MetricData>,
    pub(super) verdicts: Vec<Row>,
    pub(super) versions: [VersionData; 2],
    pub(super) scores: Option<Shift>,
    pub(super) slices: Vec<SliceRow>,
}

/// Where the rollout was from a second on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlacePoint {
    pub(super) second: f64,
    pub(super) step: Option<usize>,
    pub(super) steps: usize,
    pub(super) phase: String,
    /// The canary's share, 0 to 1.
    pub(super) weight: Option<f64>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventPoint {
    pub(super) second: f64,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) warning: bool,
}

/// Requests of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrafficPoint {
    pub(super) second: f64,
    /// The canary's share by the weights, 0 to 1.
    pub(super) wanted: Option<f64>,
    /// The canary's share of the requests.
    pub(super) seen: Option<f64>,
    pub(super) canary_answered: u64,
    pub(super) canary_errors: u64,
    pub(super) stable_answered: u64,
    pub(super) stable_errors: u64,
}

/// A metric of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricData {
    pub(super) run: String,
    pub(super) kind: String,
    pub(super) metric: String,
    pub(super) phase: String,
    pub(super) message: String,
    pub(super) standing: Option<Standing>,
    pub(super) points: Vec<EvidencePoint>,
}

/// Where a metric stood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EvidencePoint {
    pub(super) second: f64,
    pub(super) log_e: f64,
    pub(super) log_e_fail: f64,
    pub(super) log_e_pass: f64,
    pub(super) log_e_pass_at: f64,
    /// Low end, estimate and high end of the difference.
    pub(super) difference: Option<(f64, f64, f64)>,
    pub(super) verdict: Verdict,
}

/// What a version answered in all.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionData {
    pub(super) answered: u64,
    pub(super) errors: u64,
    /// Milliseconds that half, 95 and 99 of a hundred answers did not exceed.
    pub(super) quantiles_ms: Option<[f64; 3]>,
    /// Answers by the bin of their latency.
    pub(super) latency: BTreeMap<u16, u64>,
    pub(super) classes: BTreeMap<String, u64>,
    pub(super) numbers: BTreeMap<i16, u64>,
    /// Good answers without the prediction that was looked for.
    pub(super) missing: u64,
}

/// A value of a slice.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SliceRow {
    pub(super) slice: String,
    pub(super) value: String,
    pub(super) canary: (u64, u64),
    pub(super) stable: (u64, u64),
}

/// Collects them.
#[derive(Debug, Default)]
pub(super) struct Collector {
    replay: Replay,
    verdicts: Verdicts,
    begun_ms: i64,
    last_ms: i64,
    settled: Vec<Settled>,
    events: Vec<Event>,
    seconds: BTreeMap<u64, TrafficPoint>,
    judged_by_counters: [VersionData; 2],
    versions: [VersionData; 2],
    slices: BTreeMap<(String, String), [(u64, u64); 2]>,
    /// By run and metric.
    points: BTreeMap<(String, String), Vec<EvidencePoint>>,
}

impl Collector {
    pub(super) fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Update(update) => {
                self.begun_ms = update.begun_ms;
                self.last_ms = update.begun_ms;
                self.verdicts = Verdicts::new(update.begun_ms);
            }
            Entry::Second(batch) if !self.seconds.contains_key(&batch.seq) => self.count(batch),
            Entry::Ended(event) if !self.events.iter().any(|e| e.message == event.message) => {
                self.events.push(event.clone());
            }
            _ => {}
        }
        if matches!(entry, Entry::Look(_) | Entry::Settled(_) | Entry::Ended(_)) {
            self.last_ms = self.last_ms.max(entry.at_ms());
        }
        match self.replay.take(entry) {
            Played::Nothing => {}
            Played::Settled(settled) => {
                self.events.extend(settled.events.iter().cloned());
                self.settled.push(settled);
            }
            Played::Judged(judged) => self.looked(&judged),
        }
    }

    fn looked(&mut self, judged: &[Judged]) {
        self.verdicts.take(judged);
        judged.iter().for_each(|judged| self.judged(judged));
    }

    fn second(&self, ms: i64) -> f64 {
        (ms - self.begun_ms) as f64 / 1000.0
    }

    /// Adds a second of the router.
    fn count(&mut self, batch: &Batch) {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let (drawn, rest) = batch.drawn.unwrap_or((batch.canary.answered, batch.stable.answered));
        let point = TrafficPoint {
            second: self.second(batch.end_ms),
            wanted: batch.split.and_then(|(weight, total)| share(weight.into(), total.into())),
            seen: share(drawn, drawn + rest),
            canary_answered: batch.canary.answered,
            canary_errors: batch.canary.errors,
            stable_answered: batch.stable.answered,
            stable_errors: batch.stable.errors,
        };
        self.seconds.insert(batch.seq, point);
        self.versions[0].add(&batch.canary);
        self.versions[1].add(&batch.stable);
        for (slice, values) in &batch.slices {
            for (value, (canary, stable)) in values {
                let sums = self.slices.entry((slice.clone(), value.clone())).or_default();
                for (sum, arm) in sums.iter_mut().zip([canary, stable]) {
                    *sum = (sum.0 + arm.answered, sum.1 + arm.errors);
                }
            }
        }
    }

    fn judged(&mut self, judged: &Judged) {
        let second = self.second(judged.at_ms);
        // What others counted comes with the look that judged it.
        if self.seconds.is_empty() {
            for batch in &judged.batches {
                self.judged_by_counters[0].add(&batch.canary);
                self.judged_by_counters[1].add(&batch.stable);
            }
        }
        let Some(standing) = &judged.standing else { return };
        let points = self.points.entry((judged.run.clone(), judged.metric.clone())).or_default();
        points.push(EvidencePoint {
            second,
            log_e: standing.log_e,
            log_e_fail: standing.log_e_fail,
            log_e_pass: standing.log_e_pass,
            log_e_pass_at: standing.log_e_pass_at,
            difference: standing.difference.map(|d| (d.low, d.estimate, d.high)),
            verdict: standing.verdict,
        });
    }

    /// The report. A flaw of the log is noted in it.
    pub(super) fn finish(mut self, flaw: Option<Flaw>) -> Result<Data, CliError> {
        let last = self.replay.finish();
        self.looked(&last);
        let update = self.replay.update().cloned();
        let update = update.ok_or_else(|| CliError::Bug("a log without its update was read".to_owned()))?;
        let notes = self.notes(flaw);
        if self.seconds.is_empty() {
            self.versions = std::mem::take(&mut self.judged_by_counters);
        }
        self.versions.iter_mut().for_each(VersionData::finish);
        self.events.sort_by_key(|event| event.at_ms);
        let kinds: BTreeMap<&str, &RunBegun> = self.replay.runs().map(|run| (run.run.as_str(), run)).collect();
        let mut metrics: Vec<MetricData> = self.verdicts.last().map(|judged| self.metric(judged, &kinds)).collect();
        metrics.sort_by(|a, b| first(a).total_cmp(&first(b)));
        let last = self.settled.last().map(|settled| settled.place.clone()).unwrap_or_default();
        let mut data = Data {
            rollout: update.rollout.clone(),
            revision: update.revision,
            canary: update.canary.image.clone(),
            stable: update.stable.image.clone(),
            summary: String::new(),
            notes,
            seconds: self.second(self.last_ms),
            ended: last.is_over(),
            places: self.places(),
            events: self.events.iter().map(|event| self.event(event)).collect(),
            traffic: thinned(self.seconds.values().copied().collect()),
            metrics,
            verdicts: self.verdicts.finish(),
            scores: Shift::between_classes(&self.versions),
            slices: self.slice_rows(),
            versions: self.versions,
        };
        data.summary = summary(&data, &last);
        Ok(data)
    }

    fn notes(&self, flaw: Option<Flaw>) -> Vec<String> {
        let mut notes: Vec<String> = flaw.iter().map(|flaw| format!("{flaw}: what follows is not shown.")).collect();
        for gap in &self.replay.gaps {
            notes.push(format!(
                "Something is missing in the log before second {:.0}: {} cannot be replayed from there on.",
                self.second(gap.at_ms),
                gap.run
            ));
        }
        if let Some(at_ms) = self.replay.full_ms {
            notes.push(format!(
                "The log was full at second {:.0}: what was judged later is not shown.",
                self.second(at_ms)
            ));
        }
        if !self.replay.differences.is_empty() {
            notes.push(format!(
                "{} looks came to something else than was recorded; see `serin replay`.",
                self.replay.differences.len()
            ));
        }
        notes
    }

    fn places(&self) -> Vec<PlacePoint> {
        let point = |settled: &Settled| PlacePoint {
            second: self.second(settled.at_ms),
            step: settled.place.step,
            steps: settled.place.steps,
            phase: settled.place.phase.clone(),
            weight: settled
                .place
                .weight
                .filter(|(_, total)| *total > 0)
                .map(|(w, total)| f64::from(w) / f64::from(total)),
        };
        let mut points: Vec<PlacePoint> = self.settled.iter().map(point).collect();
        points.dedup_by(|b, a| (b.step, &b.phase, b.weight) == (a.step, &a.phase, a.weight));
        points
    }

    fn event(&self, event: &Event) -> EventPoint {
        EventPoint {
            second: self.second(event.at_ms),
            reason: event.reason.clone(),
            message: event.message.clone(),
            warning: event.warning,
        }
    }

    fn metric(&self, judged: &Judged, runs: &BTreeMap<&str, &RunBegun>) -> MetricData {
        let key = (judged.run.clone(), judged.metric.clone());
        MetricData {
            run: judged.run.clone(),
            kind: runs.get(judged.run.as_str()).map_or_else(String::new, |run| run.kind.clone()),
            metric: judged.metric.clone(),
            phase: judged.phase.as_str().to_owned(),
            message: if judged.phase == RunPhase::Running { String::new() } else { judged.message.clone() },
            standing: judged.standing.clone(),
            points: thin_points(self.points.get(&key).map_or(&[], Vec::as_slice)),
        }
    }

    fn slice_rows(&self) -> Vec<SliceRow> {
        let row = |((slice, value), sums): (&(String, String), &[(u64, u64); 2])| SliceRow {
            slice: slice.clone(),
            value: value.clone(),
            canary: sums[0],
            stable: sums[1],
        };
        let mut rows: Vec<SliceRow> = self.slices.iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.canary.0 + row.stable.0));
        rows
    }
}

fn first(metric: &MetricData) -> f64 {
    metric.points.first().map_or(0.0, |point| point.second)
}

/// Scores over classes.
trait BetweenClasses: Sized {
    fn between_classes(versions: &[VersionData; 2]) -> Option<Self>;
}

impl BetweenClasses for Shift {
    fn between_classes(versions: &[VersionData; 2]) -> Option<Self> {
        let [canary, stable] = versions;
        let names: std::collections::BTreeSet<&String> = canary.classes.keys().chain(stable.classes.keys()).collect();
        let counts = |of: &VersionData| {
            names.iter().map(|n| of.classes.get(*n).copied().unwrap_or(0) as f64).collect::<Vec<_>>()
        };
        Shift::between(&counts(canary), &counts(stable))
    }
}

impl VersionData {
    fn add(&mut self, arm: &Arm) {
        self.answered += arm.answered;
        self.errors += arm.errors;
        self.missing += arm.missing;
        arm.latency.iter().for_each(|(bin, n)| *self.latency.entry(*bin).or_insert(0) += n);
        arm.numbers.iter().for_each(|(bin, n)| *self.numbers.entry(*bin).or_insert(0) += n);
        arm.classes.iter().for_each(|(class, n)| *self.classes.entry(class.clone()).or_insert(0) += n);
    }

    fn finish(&mut self) {
        let bins: Vec<(u16, u64)> = self.latency.iter().map(|(bin, n)| (*bin, *n)).collect();
        let quantile = |q| latency::quantile_us(&bins, q).map(|us| us as f64 / 1000.0);
        self.quantiles_ms = quantile(0.5).zip(quantile(0.95)).zip(quantile(0.99)).map(|((a, b), c)| [a, b, c]);
    }
}

/// At most as many points as can be seen: each of several seconds.
fn thinned(points: Vec<TrafficPoint>) -> Vec<TrafficPoint> {
    let per = points.len().div_ceil(POINTS).max(1);
    let joined = |points: &[TrafficPoint]| {
        let sum = |of: fn(&TrafficPoint) -> u64| points.iter().map(of).sum();
        let mean = |of: fn(&TrafficPoint) -> Option<f64>| {
            let known: Vec<f64> = points.iter().filter_map(of).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        Some(TrafficPoint {
            second: points.last()?.second,
            wanted: mean(|p| p.wanted),
            seen: mean(|p| p.seen),
            canary_answered: sum(|p| p.canary_answered),
            canary_errors: sum(|p| p.canary_errors),
            stable_answered: sum(|p| p.stable_answered),
            stable_errors: sum(|p| p.stable_errors),
        })
    };
    points.chunks(per).filter_map(joined).collect()
}

/// At most as many points as can be seen, with every change of the verdict and the last.
fn thin_points(points: &[EvidencePoint]) -> Vec<EvidencePoint> {
    let per = points.len().div_ceil(POINTS).max(1);
    let mut before = None;
    let mut kept = Vec::new();
    for (i, point) in points.iter().enumerate() {
        if i % per == 0 || i + 1 == points.len() || before != Some(point.verdict) {
            kept.push(*point);
        }
        before = Some(point.verdict);
    }
    kept
}

/// What happened, in one sentence.
fn summary(data: &Data, last: &serin_providers::sequential::log::Place) -> String {
    let (name, new, old) = (&data.rollout, tag(&data.canary), tag(&data.stable));
    let age = crate::output::age((data.seconds * 1000.0) as i64);
    let failed = data.verdicts.iter().rev().find(|row| row.phase == "Failed");
    let canary = &data.versions[0];
    let users = match (canary.answered, canary.errors) {
        (0, _) => String::new(),
        (n, 0) => format!(" None of the {n} requests that {new} answered meanwhile failed."),
        (n, errors) => format!(" Of the {n} requests that {new} answered meanwhile {errors} failed."),
    };
    let step = match last.step {
        Some(step) if last.steps > 0 => format!(" at step {} of {}", step.min(last.steps), last.steps),
        _ => String::new(),
    };
    let head = match (last.aborted, last.promoted, failed) {
        (true, _, Some(row)) => format!(
            "{name} was taken back from {new} to {old} after {:.0} s, since {} was worse than tolerated ({}).",
            row.second, row.metric, row.text
        ),
        (true, ..) => format!(
            "The update of {name} from {old} to {new} was stopped after {age}: {}.",
            last.message.trim_end_matches('.')
        ),
        (false, true, _) => format!("{name} was updated from {old} to {new} in {age}."),
        _ if last.phase.is_empty() => format!("{name} is on its way from {old} to {new}."),
        _ => format!("{name} is {}{step} of its update from {old} to {new}, {age} after it began.", last.phase),
    };
    head + &users
}
