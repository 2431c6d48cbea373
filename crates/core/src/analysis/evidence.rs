//! What the sequential tests of a run say while they go on. The tests themselves are made elsewhere, from what the versions
//! answered; the core only needs to know at which weight they have passed.

use super::{Measurement, RunSpec, RunStatus};
use crate::weight::Share;

/// Where a measurement that goes on says at which weight its test has passed, such as `20/100`.
pub const PASSED_AT: &str = "serin.dev/passed-at";

/// The weight at which every sequential metric that decides has passed; `None` while one has not, or where there is none.
///
/// A test that passed at one weight says nothing about the next one: more load may bring out more.
pub fn passed_at(spec: &RunSpec, status: &RunStatus) -> Option<Share> {
    let mut deciding = spec.metrics.iter().filter(|metric| metric.sequential && !metric.dry_run);
    let share = |name: &str| Share::parse(last(status, name)?.metadata.get(PASSED_AT)?);
    let first = share(&deciding.next()?.name)?;
    deciding.all(|metric| share(&metric.name) == Some(first)).then_some(first)
}

fn last<'a>(status: &'a RunStatus, name: &str) -> Option<&'a Measurement> {
    status.metric(name)?.measurements.last()
}
