//! What is recorded of an answer, once for all that want to know of it.

use std::time::Instant;

use crate::intake::Plan;
use crate::prediction::Scanner;
use crate::slice::SlicedAnswer;
use crate::stats::Tally;
use crate::worker::Worker;

/// Counts the answer of a group: for its version, for the slices, for the visitor, for the pair with a copy, and among the predictions that
/// are kept. `scanner` is the search for a prediction, if there was one.
pub(super) fn count(
    worker: &Worker,
    plan: &Plan,
    group: usize,
    tally: &mut Tally,
    (status, scanner): (u16, Option<&Scanner>),
    now: Instant,
) {
    let service = &plan.service;
    let prediction = scanner.map(Scanner::prediction);
    // First what is counted in other places than the version: whoever finds the answer among its counts finds the rest, too.
    if let Some((mirror, user)) = &plan.pair {
        user.answered(&service.mirrors[*mirror].pairs[group], status, scanner, now);
    }
    if let Some(visitor) = plan.visitor {
        service.groups[group].stats.units.count(visitor, status >= 500, worker.shared.ms_at(now));
    }
    if let (Some(ring), Some(Some(prediction))) = (&service.ring, &prediction) {
        let time_ms = worker.shared.started_ms + worker.shared.ms_at(now);
        ring.push(plan.id.as_deref(), &service.groups[group].version, prediction, time_ms);
    }
    let us = tally.took_us(now);
    let class = prediction.and_then(|prediction| tally.predicted(prediction.as_ref()));
    if !service.slices.is_empty() {
        let answer = SlicedAnswer { worker: worker.index, status, us, class };
        plan.probes.borrow().count(&service.slices, group, &answer);
    }
    tally.answered(status, us);
}
