//! The Prometheus beside the cluster, which scrapes every second.

use serde_json::Value;

use crate::traffic::exchange;

/// Where it is known inside, as the templates of the example name it.
pub const SERVER: &str = "prometheus.monitoring.svc.cluster.local:9090";

/// The result of an instant query: a list of series, each with `metric` and `value`.
///
/// # Errors
/// When there is no answer, or it is an error.
pub fn query(query: &str) -> Result<Vec<Value>, String> {
    let path = format!("/api/v1/query?query={}", encoded(query));
    let (status, body) = exchange(SERVER, &path, &[("host", SERVER)]).map_err(|e| e.to_string())?;
    let mut answer: Value = serde_json::from_str(&body).map_err(|e| format!("{status}: {e}: {body}"))?;
    match answer["data"]["result"].take() {
        Value::Array(series) if status == 200 => Ok(series),
        _ => Err(format!("{status}: {body}")),
    }
}

/// Every byte that means something in a URL is written as its number.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_passes_a_url_as_it_is() {
        assert_eq!(encoded("sum(a{b=\"c\"}) > 0"), "sum%28a%7Bb%3D%22c%22%7D%29%20%3E%200");
    }
}
