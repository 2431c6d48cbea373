//! Any HTTP source that answers with JSON.

use std::time::Duration;

use serde_json::Value as Json;
use serin_spec::wire::provider::{WebMetric, WebMetricHeader};

use crate::error::ProviderError;
use crate::json;
use crate::jsonpath::JsonPath;
use crate::measured::Measured;
use crate::request::{Method, Request, Response};
use crate::url::Url;

/// Time for an answer when the metric names none.
const TIMEOUT_DEFAULT_S: u64 = 10;

/// The whole answer.
const PATH_DEFAULT: &str = "{$}";

/// The request that measures a metric.
///
/// # Errors
/// When the metric's address, method, body, path or login cannot be used.
//= compat: 3.12-1, 3.12-2
pub fn request(metric: &WebMetric) -> Result<Request, ProviderError> {
    let url = Url::parse(&metric.url)?;
    let method = match metric.method.as_deref().unwrap_or_default() {
        "" | "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        other => return Err(ProviderError::config(format!("the method {other:?} is not GET, POST or PUT"))),
    };
    let body = metric.body.as_deref().filter(|body| !body.is_empty());
    let json_body = metric.json_body.as_ref().filter(|body| !body.is_null());
    if body.is_some() && json_body.is_some() {
        return Err(ProviderError::config("use either body or jsonBody, not both"));
    }
    if method == Method::Get && (body.is_some() || json_body.is_some()) {
        return Err(ProviderError::config("a body needs the method POST or PUT"));
    }
    let oauth2 = metric.authentication.as_ref().and_then(|login| login.oauth2.as_ref());
    if oauth2.and_then(|oauth2| oauth2.get("tokenUrl")).and_then(Json::as_str).is_some_and(|url| !url.is_empty()) {
        return Err(ProviderError::config("authentication with oauth2 is not supported"));
    }
    path(metric)?;
    let mut headers: Vec<(String, String)> =
        metric.headers.iter().map(|WebMetricHeader { key, value }| (key.clone(), value.clone())).collect();
    if json_body.is_some() {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    let body = json_body.map(json::text).or_else(|| body.map(str::to_owned)).unwrap_or_default();
    let seconds = metric.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    Ok(Request {
        method,
        url: url.to_string(),
        headers,
        body: body.into_bytes(),
        timeout: Duration::from_secs(seconds.unwrap_or(TIMEOUT_DEFAULT_S)),
        insecure: metric.insecure,
    })
}

fn path(metric: &WebMetric) -> Result<JsonPath, ProviderError> {
    let text = metric.json_path.as_deref().filter(|path| !path.is_empty()).unwrap_or(PATH_DEFAULT);
    JsonPath::parse(text).map_err(|error| ProviderError::config(format!("jsonPath {text:?}: {error}")))
}

/// The value in an answer: the first that the metric's path finds.
///
/// An answer that is empty or no JSON is an error. Releases of Argo Rollouts up to 1.9 let such an answer pass as
/// successful whatever the conditions say, and later ones hand its text to the conditions; neither measures anything.
///
/// # Errors
/// When the status is not 2xx, the body is no JSON, or the path finds nothing.
//= compat: 3.12-3, 3.12-4, 3.12-5
pub fn read(metric: &WebMetric, response: &Response) -> Result<Measured, ProviderError> {
    if !response.is_success() {
        return Err(ProviderError::answer(format!("received non 2xx response code: {}", response.status)));
    }
    let text = String::from_utf8_lossy(&response.body);
    if text.trim().is_empty() {
        return Err(ProviderError::answer("the answer has no body: expected JSON"));
    }
    let document: Json = serde_json::from_str(&text)
        .map_err(|error| ProviderError::answer(format!("could not parse JSON body: {error}")))?;
    let path = path(metric)?;
    let found = path
        .find(&document)
        .map_err(|error| ProviderError::answer(format!("could not find JSONPath in body: {error}")))?;
    let first = found.iter().flatten().next();
    let first = first.ok_or_else(|| ProviderError::answer("result of web metric produced no value"))?;
    Ok(Measured { value: json::value(first), text: json::text(first), warnings: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metric() -> WebMetric {
        WebMetric { url: "http://judge/score?v=1".into(), ..WebMetric::default() }
    }

    //= compat: 3.12-1
    #[test]
    fn a_plain_metric_is_a_get() {
        let request = request(&metric()).unwrap();
        assert_eq!((request.method, request.url.as_str()), (Method::Get, "http://judge/score?v=1"));
        assert_eq!((request.timeout, request.body.len()), (Duration::from_secs(10), 0));
        let timed =
            |seconds| super::request(&WebMetric { timeout_seconds: Some(seconds), ..metric() }).unwrap().timeout;
        assert_eq!([timed(3), timed(0), timed(-3)], [3, 10, 10].map(Duration::from_secs));
    }

    //= compat: 3.12-2
    #[test]
    fn bodies_and_their_types() {
        let header = |key: &str, value: &str| WebMetricHeader { key: key.into(), value: value.into() };
        let headers = vec![header("X-A", "1"), header("content-type", "text/plain")];
        let post = WebMetric { method: Some("POST".into()), headers, ..metric() };
        let plain = request(&WebMetric { body: Some("x=1".into()), ..post.clone() }).unwrap();
        assert_eq!((plain.method, &plain.body[..], plain.headers.len()), (Method::Post, &b"x=1"[..], 2));
        let json_body = Some(json!({"b": [1, 2.5], "a": "<x>"}));
        let structured = request(&WebMetric { method: Some("PUT".into()), json_body, ..post }).unwrap();
        assert_eq!(structured.method, Method::Put);
        assert_eq!(structured.body, br#"{"a":"\u003cx\u003e","b":[1,2.5]}"#);
        let types = structured.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        assert_eq!(types.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["application/json"]);
    }

    //= compat: 3.12-1, 3.12-2
    #[test]
    fn metrics_that_cannot_be_asked() {
        let check = |metric: WebMetric, want: &str| {
            let error = request(&metric).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
            assert_eq!(error.class(), crate::Class::User);
        };
        check(WebMetric { url: "judge".into(), ..metric() }, "expected http:// or https://");
        check(WebMetric { method: Some("HEAD".into()), ..metric() }, "is not GET, POST or PUT");
        check(WebMetric { body: Some("x".into()), ..metric() }, "a body needs the method POST or PUT");
        check(WebMetric { json_body: Some(json!({})), ..metric() }, "a body needs the method POST or PUT");
        let both = WebMetric { body: Some("x".into()), json_body: Some(json!(1)), ..metric() };
        check(WebMetric { method: Some("POST".into()), ..both }, "use either body or jsonBody");
        check(WebMetric { json_path: Some("{.a".into()), ..metric() }, "unclosed action");
    }

    fn measure(path: Option<&str>, status: u16, body: &str) -> Result<Measured, ProviderError> {
        let metric = WebMetric { json_path: path.map(str::to_owned), ..metric() };
        read(&metric, &Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
    }

    //= compat: 3.12-4
    #[test]
    fn the_first_match_is_the_value() {
        let check = |path: Option<&str>, body: &str, text: &str| {
            let measured = measure(path, 200, body).unwrap();
            assert_eq!(measured.text, text, "{path:?} in {body}");
            assert_eq!(measured.value, json::value(&serde_json::from_str(text).unwrap()));
        };
        check(None, "5", "5");
        check(None, r#"{"b": 1, "a": [true]}"#, r#"{"a":[true],"b":1}"#);
        check(Some("{.data.score}"), r#"{"data": {"score": 0.975}}"#, "0.975");
        check(Some("{.data[*].score}"), r#"{"data": [{"score": 1}, {"score": 2}]}"#, "1");
        check(Some("{.ok}"), r#"{"ok": "yes"}"#, r#""yes""#);
        check(Some("{.n}"), r#"{"n": null}"#, "null");
        check(Some("{.n}"), r#"{"n": 12345678901}"#, "12345678901");
    }

    //= compat: 3.12-3, 3.12-4, 3.12-5
    #[test]
    fn answers_that_are_no_values() {
        let check = |path: Option<&str>, status: u16, body: &str, want: &str| {
            let error = measure(path, status, body).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
            assert_eq!(error.class(), crate::Class::Retry);
        };
        check(None, 404, "5", "received non 2xx response code: 404");
        check(None, 302, "5", "received non 2xx response code: 302");
        check(None, 200, "", "the answer has no body");
        check(None, 204, "", "the answer has no body");
        check(None, 200, "ok", "could not parse JSON body");
        check(None, 200, "{\"a\":1} x", "could not parse JSON body");
        check(Some("{.score}"), 200, "{}", "could not find JSONPath in body: score is not found");
        check(Some("{.a[*]}"), 200, r#"{"a": []}"#, "result of web metric produced no value");
    }
}
