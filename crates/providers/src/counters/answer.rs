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
    if let Some(warnings) = prometheus::warnings(&answer["warnings"]) {
        return Err(ProviderError::answer(format!("the answer may not be whole: {warnings}")));
    }
    if answer["data"]["resultType"].as_str() != Some("vector") {
        return Err(prometheus::unreadable("it is no vector"));
    }
    let mut counters: [BTreeMap<SeriesId, f64>; 4] = Default::default();
    for series in answer["data"]["result"].as_array().ok_or_else(|| prometheus::unreadable("it has no result"))? {
        let labels = labels(&series["metric"]).ok_or_else(|| prometheus::unreadable("a series has no labels"))?;
        let source = labels.get(SOURCE_LABEL).and_then(|name| Source::ALL.into_iter().find(|s| s.name() == *name));
        let source = source.ok_or_else(|| prometheus::unreadable("a series is of no counter"))?;
        let value =
            prometheus::sample(&series["value"]).ok_or_else(|| prometheus::unreadable("a sample has no number"))?;
        let own = labels.into_iter().filter(|(name, _)| *name != SOURCE_LABEL);
        counters[source as usize].insert(SeriesId::of(own), value);
    }
    Ok(Reading::of(now_ms, counters.map(Counter)))
}

/// Labels in the order of their names.
fn labels(json: &Json) -> Option<BTreeMap<&str, &str>> {
    json.as_object()?.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Reading, ProviderError> {
        read(&Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }, 7)
    }

    #[test]
    fn whatever_is_no_counter_is_an_error() {
        let check = |status, body: &str, want: &str| {
            let error = answer(status, body).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
            assert_eq!(error.class(), crate::Class::Retry);
        };
        let vector =
            |result: &str| format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#);
        check(502, "", "status 502");
        check(422, r#"{"status":"error","errorType":"execution","error":"too much"}"#, "execution: too much");
        check(200, "not JSON", "not readable");
        check(200, r#"{"status":"success","data":{"resultType":"scalar","result":[7,"1"]}}"#, "it is no vector");
        check(200, &vector(r#"{"value":[7,"1"]}"#), "a series has no labels");
        check(200, &vector(r#"{"metric":{"serin_counter":"other"},"value":[7,"1"]}"#), "a series is of no counter");
        check(200, &vector(r#"{"metric":{"serin_counter":"canaryBad"},"value":[7,"x"]}"#), "a sample has no number");
        let partial =
            r#"{"status":"success","warnings":["a store did not answer"],"data":{"resultType":"vector","result":[]}}"#;
        check(200, partial, "a store did not answer");
        let infos =
            r#"{"status":"success","infos":["no counter by its name"],"data":{"resultType":"vector","result":[]}}"#;
        assert!(answer(200, infos).unwrap().canary_total.is_absent());
    }
}
