//! Requests and answers of Prometheus.

use serde_json::json;
use serin_expr::Value;
use serin_spec::wire::provider::RangeQuery;

use super::*;

const NOW_MS: i64 = 1_700_000_000_250;

fn metric() -> PrometheusMetric {
    PrometheusMetric {
        address: Some("http://prometheus:9090/base/".into()),
        query: Some("sum(rate(x{a=\"b\"}[5m]))".into()),
        ..PrometheusMetric::default()
    }
}

fn answer(body: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

//= compat: 3.11-3, 3.11-4
#[test]
fn an_instant_query_is_asked_at_the_time_of_the_measurement() {
    let request = request(&metric(), None, NOW_MS).unwrap();
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.url, "http://prometheus:9090/base/api/v1/query");
    let body = String::from_utf8(request.body).unwrap();
    assert_eq!(body, "query=sum%28rate%28x%7Ba%3D%22b%22%7D%5B5m%5D%29%29&time=1700000000.25");
    assert_eq!(request.timeout, Duration::from_secs(30));
}

//= compat: 3.11-4
#[test]
fn a_range_query_has_start_end_and_step() {
    let range_query = Some(RangeQuery {
        start: Some("now() - duration(\"1h\")".into()),
        end: Some("now()".into()),
        step: Some("30s".into()),
    });
    let request = request(&PrometheusMetric { range_query, ..metric() }, None, NOW_MS).unwrap();
    assert!(request.url.ends_with("/api/v1/query_range"));
    let body = String::from_utf8(request.body).unwrap();
    assert!(body.ends_with("&start=1699996400.25&end=1700000000.25&step=30"), "{body}");
}

#[test]
fn a_server_that_takes_no_post_is_asked_with_get() {
    let post = request(&metric(), None, NOW_MS).unwrap();
    let get = as_get(&post, &Response { status: 405, ..answer("") }).unwrap();
    assert_eq!((get.method, get.body.len(), get.headers.len()), (Method::Get, 0, 0));
    assert!(get.url.starts_with("http://prometheus:9090/base/api/v1/query?query=sum"), "{}", get.url);
    assert_eq!(as_get(&post, &answer("")), None);
    assert_eq!(as_get(&get, &Response { status: 405, ..answer("") }), None);
}

//= compat: 3.11-1, 3.11-2, 3.11-3, 3.11-12
#[test]
fn metrics_that_cannot_be_asked() {
    let check = |change: &dyn Fn(&mut PrometheusMetric), want: &str| {
        let mut metric = metric();
        change(&mut metric);
        let error = request(&metric, None, NOW_MS).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to use the metric's provider: {want}"));
        assert_eq!(error.class(), crate::Class::User);
    };
    check(&|m| m.address = None, "prometheus address is not configured");
    check(&|m| m.address = Some("a".into()), "expected http:// or https:// in the address \"a\"");
    check(&|m| m.query = Some(" ".into()), "prometheus query is not set");
    check(&|m| m.timeout = Some(-1), "prometheus timeout should not be negative");
    check(&|m| m.range_query = Some(RangeQuery::default()), "rangeQuery.start is not set");
    let login = |login: Authentication| move |m: &mut PrometheusMetric| m.authentication = Some(login.clone());
    let basic_auth = Some(json!({"username": "u"}));
    let basic = Authentication { basic_auth, ..Authentication::default() };
    check(&login(basic), "basicAuth needs both a username and a password");
    let oauth2 = Authentication { oauth2: Some(json!({"tokenUrl": "http://x"})), ..Authentication::default() };
    check(&login(oauth2), "authentication with oauth2 is not supported");
}

//= compat: 3.11-1, 3.11-2, 3.11-12
#[test]
fn headers_logins_and_the_default_address() {
    let header = WebMetricHeader { key: "X-Scope".into(), value: "a".into() };
    let authentication = Authentication {
        basic_auth: Some(json!({"username": "user", "password": "pass"})),
        sigv4: Some(json!({"region": "x"})),
        ..Authentication::default()
    };
    let metric = PrometheusMetric {
        address: None,
        headers: vec![header],
        authentication: Some(authentication),
        timeout: Some(0),
        ..metric()
    };
    let request = request(&metric, Some("https://p"), NOW_MS).unwrap();
    assert_eq!(request.url, "https://p/api/v1/query");
    assert_eq!(request.headers[1], ("X-Scope".to_owned(), "a".to_owned()));
    assert_eq!(request.headers[2], ("Authorization".to_owned(), "Basic dXNlcjpwYXNz".to_owned()));
    assert_eq!(request.timeout, Duration::ZERO);
    assert_eq!([base64(""), base64("a"), base64("ab"), base64("abc")], ["", "YQ==", "YWI=", "YWJj"]);
}

//= compat: 3.11-5, 3.11-6, 3.11-8, 3.11-9
#[test]
fn answers_become_values_and_texts() {
    let check = |kind: &str, result: &str, value: Value, text: &str| {
        let body = format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#);
        let measured = read(&answer(&body)).unwrap();
        assert_eq!((measured.text.as_str(), measured.warnings), (text, None));
        assert_eq!(format!("{:?}", measured.value), format!("{value:?}"));
    };
    check("scalar", r#"[1700000000.25,"1.5"]"#, 1.5.into(), "1.5");
    check("scalar", r#"[0,"1e+21"]"#, 1e21.into(), "1000000000000000000000");
    check("vector", "[]", Vec::<f64>::new().into(), "[]");
    let two = r#"[{"metric":{"a":"1"},"value":[0,"0.25"]},{"metric":{},"value":[0,"3"]}]"#;
    check("vector", two, vec![0.25, 3.0].into(), "[0.25,3]");
    let odd = r#"[{"metric":{},"value":[0,"NaN"]},{"metric":{},"value":[0,"-Inf"]}]"#;
    check("vector", odd, vec![f64::NAN, f64::NEG_INFINITY].into(), "[NaN,-Inf]");
    let matrix = r#"[{"metric":{},"values":[[0,"1"],[1,"2"]]},{"metric":{},"values":[[0,"3"]]}]"#;
    check("matrix", matrix, vec![1.0, 2.0, 3.0].into(), "[1,2,3]");
}

//= compat: 3.11-10
#[test]
fn warnings_are_kept() {
    let body = r#"{"status":"success","warnings":["a","b c"],"data":{"resultType":"vector","result":[]}}"#;
    assert_eq!(read(&answer(body)).unwrap().warnings.as_deref(), Some("\"a\", \"b c\""));
}

//= compat: 3.11-7
#[test]
fn answers_that_are_no_values() {
    let check = |status: u16, body: &str, want: &str| {
        let error = read(&Response { status, ..answer(body) }).unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
    };
    check(200, r#"{"status":"success","data":{"resultType":"string","result":[0,"x"]}}"#, "Prometheus metric type not");
    check(400, r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#, "bad_data: parse error");
    check(500, "oops", "prometheus answered with status 500");
    check(302, "", "prometheus answered with status 302");
    check(200, "", "the answer of prometheus is not readable");
    check(200, "<html>", "the answer of prometheus is not readable");
    check(200, "{}", "the answer of prometheus is not readable: it has no status");
    check(200, r#"{"status":"success","data":{"resultType":"vector"}}"#, "the answer of prometheus is not readable");
    let sample = r#"{"status":"success","data":{"resultType":"scalar","result":[0,"x"]}}"#;
    check(200, sample, "the answer of prometheus is not readable: a sample has no number");
}
