//! What a route records besides the counts of its versions: slices of its requests, single predictions, and visitors as units.

use serde::{Deserialize, Serialize};

use super::{Route, name, token};
use crate::prediction::Path;

/// Most slices of a route. With 34 values each of two versions, all of which get requests, a second of four slices takes about 100 kB, and
/// the ten minutes that are kept 60 MB.
pub const SLICES_MAX: usize = 4;
/// Most predictions that a route keeps.
pub const RECORD_MAX: usize = 1_000_000;
/// Longest silence that does not end a unit, in milliseconds: one hour.
pub const SILENCE_MS_MAX: u64 = 3_600_000;
/// Most requests of a unit.
pub const UNIT_REQUESTS_MAX: u32 = 65_535;

/// A quality of requests by which they are counted apart, such as the country. Exactly one of the three places is given.
///
/// A value is cut after [`crate::prediction::CLASS_MAX`] bytes; one that is absent, empty or `null` counts as `none`. The first 32 values
/// of a route are counted by name, those after them as `other`, of all its versions alike. Values that are found are kept over tables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// Its name, unique within the route. The label `slice` of its metrics.
    pub name: String,
    /// A header of the request; of several with the name the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A field of the JSON body of the request, written like [`Route::prediction`]. Looked for while the body passes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_field: Option<String>,
    /// A field of the JSON body of the answer. Answers that are coded (`Content-Encoding`) are not looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_field: Option<String>,
}

/// Keeps the predictions of single requests, so that what was true can be compared with them once it is known.
///
/// An answer is kept when a prediction was found in it and its request id has 1 to 64 visible characters. An entry takes 56 bytes and
/// the text of id and class: about 110 bytes with the ids that the proxy makes, 208 at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// How many are kept, 1 to [`RECORD_MAX`]; the oldest makes room.
    pub capacity: usize,
}

/// When the requests of a visitor make up a whole. Only for sticky routes.
///
/// A visitor's requests go to one version and resemble each other, so that as evidence they count as one: the share of them that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitLimits {
    /// Silence that ends a unit, in milliseconds: 1 to [`SILENCE_MS_MAX`]. It is noticed at the end of a second.
    #[serde(default = "silence_default")]
    pub silence_ms: u64,
    /// Requests after which a unit ends although the visitor goes on: 1 to [`UNIT_REQUESTS_MAX`].
    #[serde(default = "requests_default")]
    pub requests: u32,
}

fn silence_default() -> u64 {
    60_000
}

fn requests_default() -> u32 {
    1_000
}

impl Default for UnitLimits {
    fn default() -> Self {
        Self { silence_ms: silence_default(), requests: requests_default() }
    }
}

impl Route {
    /// Whether both record the same.
    pub(super) fn records_like(&self, other: &Route) -> bool {
        self.slices == other.slices && self.record == other.record && self.units == other.units
    }

    pub(super) fn validate_recording(&self, at: &str, problems: &mut Vec<String>) {
        if self.slices.len() > SLICES_MAX {
            problems.push(format!("{at}.slices: {} are more than {SLICES_MAX}", self.slices.len()));
        }
        for (i, slice) in self.slices.iter().enumerate() {
            let at = format!("{at}.slices[{i}]");
            slice.validate(&at, problems);
            if self.slices[..i].iter().any(|other| other.name == slice.name) {
                problems.push(format!("{at}.name: '{}' is there twice", slice.name));
            }
        }
        if let Some(Record { capacity }) = self.record {
            if capacity == 0 || capacity > RECORD_MAX {
                problems.push(format!("{at}.record.capacity: {capacity} is not within 1 and {RECORD_MAX}"));
            }
            if self.prediction.is_none() {
                problems.push(format!("{at}.record: the route does not say where the prediction stands"));
            }
            if !self.request_id {
                problems
                    .push(format!("{at}.record: the route has no request_id by which an answer can be found again"));
            }
        }
        if let Some(UnitLimits { silence_ms, requests }) = self.units {
            if silence_ms == 0 || silence_ms > SILENCE_MS_MAX {
                problems.push(format!("{at}.units.silence_ms: {silence_ms} is not within 1 and {SILENCE_MS_MAX}"));
            }
            if requests == 0 || requests > UNIT_REQUESTS_MAX {
                problems.push(format!("{at}.units.requests: {requests} is not within 1 and {UNIT_REQUESTS_MAX}"));
            }
            if self.sticky.is_none() {
                problems.push(format!("{at}.units: the route is not sticky, so that its visitors are not known"));
            }
        }
    }
}

impl Slice {
    fn validate(&self, at: &str, problems: &mut Vec<String>) {
        name(&self.name, &format!("{at}.name"), problems);
        let places = [&self.header, &self.request_field, &self.answer_field];
        if places.iter().filter(|p| p.is_some()).count() != 1 {
            problems.push(format!("{at}: exactly one of header, request_field and answer_field is needed"));
        }
        if let Some(header) = &self.header {
            token(header, &format!("{at}.header"), problems);
        }
        for (field, path) in [("request_field", &self.request_field), ("answer_field", &self.answer_field)] {
            if let Some(Err(why)) = path.as_deref().map(Path::parse) {
                problems.push(format!("{at}.{field}: {why}"));
            }
        }
    }
}
