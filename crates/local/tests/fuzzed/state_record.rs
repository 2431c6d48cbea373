//! What must hold for every text that stands where a record of the state should: it is refused, or read so that what is
//! written again is read as the same.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serin_local::experiment::ExperimentRecord;
use serin_local::record::{RunRecord, WorkloadRecord};

pub(crate) fn check(text: &str) {
    again::<WorkloadRecord>(text, |record| WorkloadRecord::from(&record.read()));
    again::<RunRecord>(text, |record| RunRecord::from(&record.read()));
    again::<ExperimentRecord>(text, |record| ExperimentRecord::from(&record.read()));
}

/// Reads, keeps, writes, and does it once more: what was normalised the first time must stay.
fn again<R: Serialize + DeserializeOwned>(text: &str, kept: impl Fn(R) -> R) {
    let Ok(record) = serde_json::from_str::<R>(text) else {
        return;
    };
    let once = serde_json::to_value(kept(record)).expect("a record can be written");
    let read: R = serde_json::from_value(once.clone()).expect("what was written can be read");
    let twice = serde_json::to_value(kept(read)).expect("a record can be written");
    assert_eq!(once, twice);
}
