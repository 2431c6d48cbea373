//! The answer of a Prometheus: four counters in one vector.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::question::SOURCE_LABEL;
use super::{Counter, Reading, SeriesId, Source};
use crate::error::ProviderError;
use crate::http;
use crate::prometheus;
use crate::request::{Request, Response};

/// Asks, once more as a GET where the server takes no POST, and reads the answer. `now_ms` is the time of the request.
///
/// # Errors
/// When the server is not reached, or as [`read`].
pub async fn ask(request: Request, now_ms: i64) -> Result<Reading, ProviderError> {
    let response = http::send(&request).await?;
    match prometheus::as_get(&request, &response) {
        Some(get) => read(&http::send(&get).await?, now_ms),
        None => read(&response, now_ms),
    }
}

/// The counters in the answer to a [`super::request`] of that time.
///
/// # Errors
/// When the server refuses the query, or the answer cannot be read. An answer that is only a part of what the server has
/// is one of these, since counters that are missing from it would seem to have fallen.
pub fn read(response: &Response, now_ms: i64) -> Result<Reading, ProviderError> {
    let answer = prometheus::body(response)?;
    let unreadable = |what: &str| ProviderError::answer(format!("the answer of prometheus is not readable: {what}"));
    if answer["data"]["resultType"].as_str() != Some("vector") {
        return Err(unreadable("it is no vector"));
    }
    let mut counters: [BTreeMap<SeriesId, f64>; 4] = Default::default();
    for series in answer["data"]["result"].as_array().ok_or_else(|| unreadable("it has no result"))? {
        let labels = labels(&series["metric"]).ok_or_else(|| unreadable("a series has no labels"))?;
        let source = labels.get(SOURCE_LABEL).and_then(|name| Source::ALL.into_iter().find(|s| s.name() == *name));
        let source = source.ok_or_else(|| unreadable("a series is of no counter"))?;
        let value = prometheus::sample(&series["value"]).ok_or_else(|| unreadable("a sample has no number"))?;
        let own = labels.into_iter().filter(|(name, _)| *name != SOURCE_LABEL);
        counters[source as usize].insert(SeriesId::of(own), value);
    }
    Ok(Reading::of(now_ms, counters.map(Counter)))
}

/// Labels in the order of their names.
fn labels(json: &Json) -> Option<BTreeMap<&str, &str>> {
    json.as_object()?.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
}
