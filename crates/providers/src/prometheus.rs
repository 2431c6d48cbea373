//! Prometheus over its HTTP API.

use std::time::Duration;

use serde_json::Value as Json;
use serin_spec::wire::provider::{Authentication, PrometheusMetric, WebMetricHeader};

use crate::error::ProviderError;
use crate::http;
use crate::measured::Measured;
use crate::request::{Method, Request, Response};
use crate::time_range::TimeRange;
use crate::url::{Url, encode};

/// Time for an answer when the metric names none.
const TIMEOUT_DEFAULT_S: i64 = 30;

/// The request that measures a metric at `now_ms` (milliseconds since 1970). `address` is used where the metric has none.
///
/// It is a POST, since queries may be longer than an address; for servers that take only GET see [`as_get`].
///
/// # Errors
/// When the metric has no usable address, query, timeout, range or login.
pub fn request(metric: &PrometheusMetric, address: Option<&str>, now_ms: i64) -> Result<Request, ProviderError> {
    //= compat: 3.11-2
    let address = metric.address.as_deref().filter(|address| !address.is_empty()).or(address);
    let address = address.ok_or_else(|| ProviderError::config("prometheus address is not configured"))?;
    let url = Url::parse(address)?;
    let query = metric.query.as_deref().filter(|query| !query.trim().is_empty());
    let query = query.ok_or_else(|| ProviderError::config("prometheus query is not set"))?;
    //= compat: 3.11-4
    let (path, times) = match &metric.range_query {
        None => ("/api/v1/query", format!("&time={}", seconds(now_ms))),
        Some(range) => {
            let range = TimeRange::of(range)?;
            let (start_ms, end_ms) = range.at(now_ms);
            let (start, end, step) = (seconds(start_ms), seconds(end_ms), seconds(range.step_ms));
            ("/api/v1/query_range", format!("&start={start}&end={end}&step={step}"))
        }
    };
    let mut headers = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    headers.extend(metric.headers.iter().map(|WebMetricHeader { key, value }| (key.clone(), value.clone())));
    if let Some(login) = login(metric.authentication.as_ref(), address)? {
        headers.push(("Authorization".to_owned(), login));
    }
    Ok(Request {
        method: Method::Post,
        url: url.with_path(path).to_string(),
        headers,
        body: format!("query={}{times}", encode(query)).into_bytes(),
        timeout: timeout(metric.timeout)?,
        insecure: metric.insecure,
    })
}

/// The same request as a GET, if the response says that the server takes no POST.
pub fn as_get(request: &Request, response: &Response) -> Option<Request> {
    if request.method != Method::Post || !matches!(response.status, 405 | 501) {
        return None;
    }
    let mut get = Request { method: Method::Get, body: Vec::new(), ..request.clone() };
    get.url = format!("{}?{}", request.url, String::from_utf8_lossy(&request.body));
    get.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    Some(get)
}

/// Asks, once more as a GET where the server takes no POST, and reads the answer.
///
/// # Errors
/// When the server is not reached, or as [`read`].
pub async fn ask(request: Request) -> Result<Measured, ProviderError> {
    let response = http::send(&request).await?;
    match as_get(&request, &response) {
        Some(get) => read(&http::send(&get).await?),
        None => read(&response),
    }
}

/// The value in an answer.
///
/// # Errors
/// When the server refuses the query, or the answer is no number and no list of numbers.
pub fn read(response: &Response) -> Result<Measured, ProviderError> {
    let answer = body(response)?;
    let data = &answer["data"];
    let pair = |pair: &Json| sample(pair).ok_or_else(|| unreadable("a sample has no number"));
    let list = |name: &str| data[name].as_array().ok_or_else(|| unreadable("it has no result"));
    let mut measured = match data["resultType"].as_str() {
        //= compat: 3.11-5
        Some("scalar") => Measured::number(pair(&data["result"])?),
        //= compat: 3.11-6, 3.11-8, 3.11-9
        Some("vector") => {
            let values: Result<_, _> = list("result")?.iter().map(|series| pair(&series["value"])).collect();
            Measured::numbers(values?)
        }
        Some("matrix") => {
            let mut values = Vec::new();
            for series in list("result")? {
                let points = series["values"].as_array().ok_or_else(|| unreadable("a series has no values"))?;
                for point in points {
                    values.push(pair(point)?);
                }
            }
            Measured::numbers(values)
        }
        //= compat: 3.11-7
        _ => return Err(ProviderError::answer("Prometheus metric type not supported")),
    };
    measured.warnings = warnings(&answer["warnings"]);
    Ok(measured)
}

/// The answer of a server that could answer.
///
/// # Errors
/// When the server refuses the query, or the answer is none of Prometheus' API.
pub(crate) fn body(response: &Response) -> Result<Json, ProviderError> {
    // The API answers with these, and with a reason in the body, when the query is at fault.
    if !response.is_success() && !matches!(response.status, 400 | 422 | 503) {
        return Err(ProviderError::answer(format!("prometheus answered with status {}", response.status)));
    }
    let answer: Json = serde_json::from_slice(&response.body).map_err(|error| unreadable(&error.to_string()))?;
    match answer["status"].as_str() {
        Some("success") => Ok(answer),
        Some("error") => {
            let text = |field: &str| answer[field].as_str().unwrap_or("unknown").to_owned();
            Err(ProviderError::answer(format!("{}: {}", text("errorType"), text("error"))))
        }
        _ => Err(unreadable("it has no status")),
    }
}

/// The number of a pair of a time and a number.
pub(crate) fn sample(pair: &Json) -> Option<f64> {
    pair[1].as_str().and_then(number)
}

pub(crate) fn unreadable(what: &str) -> ProviderError {
    ProviderError::answer(format!("the answer of prometheus is not readable: {what}"))
}

//= compat: 3.11-10
pub(crate) fn warnings(json: &Json) -> Option<String> {
    let texts = json.as_array()?.iter().filter_map(Json::as_str).map(|text| format!("\"{text}\""));
    Some(texts.collect::<Vec<String>>().join(", ")).filter(|text| !text.is_empty())
}

/// A number as the API writes it.
fn number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        text => text.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

//= compat: 3.11-3
fn timeout(seconds: Option<i64>) -> Result<Duration, ProviderError> {
    let seconds = seconds.unwrap_or(TIMEOUT_DEFAULT_S);
    match u64::try_from(seconds) {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => Err(ProviderError::config("prometheus timeout should not be negative")),
    }
}

/// The value of the header `Authorization`.
//= compat: 3.11-12
fn login(authentication: Option<&Authentication>, address: &str) -> Result<Option<String>, ProviderError> {
    let Some(authentication) = authentication else {
        return Ok(None);
    };
    let text = |json: &Option<Json>, field: &str| -> Option<String> {
        let value = json.as_ref()?.get(field)?.as_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    if text(&authentication.oauth2, "tokenUrl").is_some() {
        return Err(ProviderError::config("authentication with oauth2 is not supported"));
    }
    if authentication.sigv4.is_some() && address.contains("aps-workspaces") {
        return Err(ProviderError::config("authentication with sigv4 is not supported"));
    }
    let (user, password) = (text(&authentication.basic_auth, "username"), text(&authentication.basic_auth, "password"));
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => Ok(Some(format!("Basic {}", base64(&format!("{user}:{password}"))))),
        _ => Err(ProviderError::config("basicAuth needs both a username and a password")),
    }
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    out
}

fn seconds(ms: i64) -> String {
    serin_promql::format_value(ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests;
