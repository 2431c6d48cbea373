//! `model-service serve`: answers, refusals, metrics, its start and its end.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ml_portfolio::{Service, Version, data};
use serde_json::{Value, json};

use crate::running::{Running, start};

fn review(text: &str) -> String {
    json!({ "text": text }).to_string()
}

#[test]
fn predictions_of_all_three_services() {
    let rows = [
        (Service::Sentiment, review("i love it, great picture and easy to use!"), "positive"),
        (Service::Sentiment, review("terrible, it broke after a week and the support was useless."), "negative"),
    ];
    let sentiment = start(Service::Sentiment, Version::Better);
    let mut wire = sentiment.wire();
    for (_, body, want) in rows {
        let (status, answer) = wire.post("/predict", &body);
        assert_eq!((status, answer["prediction"].as_str()), (200, Some(want)), "{body}: {answer}");
        assert_eq!((&answer["model"], &answer["version"]), (&json!("sentiment"), &json!("v3.2.0")));
        assert!((0.0..=1.0).contains(&answer["score"].as_f64().unwrap()));
    }
    for service in [Service::Churn, Service::Tip] {
        let running = start(service, Version::Baseline);
        let mut wire = running.wire();
        for example in data::examples(service, None).unwrap().iter().take(50) {
            let (status, answer) = wire.post("/predict", &Value::Object(example.fields.clone()).to_string());
            assert_eq!(status, 200, "{answer}");
            assert!(answer["prediction"] == "yes" || answer["prediction"] == "no", "{answer}");
        }
    }
}

#[test]
fn bad_rows_are_answered_with_what_is_wrong() {
    let running = start(Service::Tip, Version::Better);
    let mut wire = running.wire();
    let mut check = |body: &str, want: &str| {
        let (status, answer) = wire.post("/predict", body);
        let error = answer["error"].as_str().unwrap().to_owned();
        assert!(status == 400 && error.contains(want), "{body}: {status} {error}");
    };
    let row = r#"{"distance":1.5,"company":"Sun Taxi","local":"no","dow":"Mon","month":"Jan","hour":8}"#;
    check("", "not a JSON object");
    check(r#"[1.5,"Sun Taxi","no","Mon","Jan",8]"#, "not a JSON object");
    check("{", "EOF while parsing");
    check("{}", "missing field `distance`");
    check(&row.replace("\"distance\":1.5,", ""), "missing field `distance`");
    check(&row.replace("1.5", "\"far\""), "expected f64");
    check(&row.replace("1.5", "-1"), "distance -1 is out of range");
    check(&row.replace("1.5", "1e999"), "number out of range");
    check(&row.replace("\"no\"", "\"perhaps\""), "unknown variant `perhaps`, expected `yes` or `no`");
    check(&row.replace(":8", ":24"), "hour 24 is out of range: 0 to 23");
    check(&row.replace("hour", "our"), "unknown field `our`");
    check(&format!("{{\"distance\":{}", "[".repeat(10_000)), "expected f64");
    let (status, answer) = wire.post("/predict", &row.replace("Sun Taxi", "A New Company"));
    assert_eq!(status, 200, "an unknown company is an ordinary row: {answer}");
}

#[test]
fn bad_requests_are_refused_without_harm_to_the_next_client() {
    let mut running = start(Service::Sentiment, Version::Baseline);
    let check = |request: &str, want: u16, stays_open: bool| {
        let mut wire = running.wire();
        wire.send(request);
        let (status, head, body) = wire.answer();
        assert_eq!(status, want, "{request:.60}: {body}");
        assert!(serde_json::from_str::<Value>(&body).unwrap()["error"].is_string());
        assert_eq!(head.contains("connection: close"), !stays_open, "{request:.60}: {head}");
        assert!(stays_open || wire.is_closed(), "{request:.60}");
    };
    check("nonsense\r\n\r\n", 400, false);
    check("POST /predict HTTP/1.1\r\ncontent-length: 10000000\r\n\r\n", 413, false);
    check("POST /predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 411, false);
    check("POST /predict HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}", 400, false);
    check(&format!("GET /health HTTP/1.1\r\nx: {}\r\n", "y".repeat(20_000)), 431, false);
    check("GET /predict HTTP/1.1\r\nhost: x\r\n\r\n", 405, true);
    check("DELETE /metrics HTTP/1.1\r\nhost: x\r\n\r\n", 405, true);
    check("GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n", 404, true);
    assert_eq!(running.get("/health").0, 200);
}

#[test]
fn a_body_that_is_huge_is_refused_while_it_is_still_being_sent() {
    let mut running = start(Service::Sentiment, Version::Baseline);
    let mut wire = running.wire();
    let body = review(&"good ".repeat(60_000));
    wire.send(format!("POST /predict HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(wire.answer().0, 413, "the answer arrives although the body was not read");
    assert_eq!(running.get("/health").0, 200);
}

#[test]
fn one_connection_carries_many_requests_even_in_one_piece_or_byte_by_byte() {
    let running = start(Service::Sentiment, Version::Baseline);
    let mut wire = running.wire();
    for _ in 0..100 {
        assert_eq!(wire.post("/predict", &review("fine")).0, 200);
    }
    let body = review("fine");
    let request = format!("POST /predict HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    wire.send(request.repeat(5));
    for _ in 0..5 {
        assert_eq!(wire.answer().0, 200);
    }
    for byte in request.bytes() {
        wire.send([byte]);
    }
    assert_eq!(wire.answer().0, 200);
    wire.send(format!("POST /predict HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n", body.len()));
    assert_eq!((wire.line().as_str(), wire.line().as_str()), ("HTTP/1.1 100 Continue", ""));
    wire.send(&body);
    assert_eq!(wire.answer().0, 200);
}

#[test]
fn a_client_that_stalls_is_cut_and_holds_up_nobody() {
    let mut running = start(Service::Sentiment, Version::Baseline);
    let mut stalled = running.wire();
    stalled.send("POST /predict HTTP/1.1\r\ncontent-length: 50\r\n\r\n{\"te");
    assert_eq!(running.get("/health").0, 200);
    let begin = Instant::now();
    assert_eq!(stalled.answer().0, 408);
    assert!(begin.elapsed() > Duration::from_secs(5), "a slow client is given time");
    assert!(stalled.is_closed());
}

/// The value of a series on the page.
fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find(|l| l.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {series} in\n{page}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn metrics_count_what_was_answered_and_nothing_else() {
    let mut running = start(Service::Tip, Version::Fragile);
    let examples = data::examples(Service::Tip, None).unwrap();
    let mut counted = std::collections::BTreeMap::<String, f64>::new();
    let mut wire = running.wire();
    for example in data::held_out(&examples).take(200) {
        let (status, answer) = wire.post("/predict", &Value::Object(example.fields.clone()).to_string());
        let other = example.fields["company"] == "other";
        assert_eq!(status, if other { 500 } else { 200 }, "{answer}");
        assert!(!other || answer["error"] == "failed to predict: 'other' is not in the vocabulary of companies");
        *counted.entry(format!("requests_total{{status=\"{status}\"}}")).or_default() += 1.0;
        if let Some(class) = answer["prediction"].as_str() {
            *counted.entry(format!("predictions_total{{prediction=\"{class}\"}}")).or_default() += 1.0;
        }
    }
    wire.post("/predict", "{}");
    let page = running.get("/metrics").1;
    for (series, count) in &counted {
        assert_eq!(value(&page, &format!("chicagotaxi_{series}")), *count, "{series}");
    }
    assert!(counted["requests_total{status=\"500\"}"] > 30.0, "{counted:?}");
    assert_eq!(value(&page, "chicagotaxi_requests_total{status=\"400\"}"), 1.0);
    assert_eq!(value(&page, "chicagotaxi_request_duration_seconds_count"), 201.0, "health checks are not among them");
    assert_eq!(value(&page, "chicagotaxi_request_duration_seconds_bucket{le=\"0.5\"}"), 201.0, "it fails fast");
}

#[test]
fn the_slow_release_takes_more_than_half_a_second_and_little_processor_time() {
    let mut running = start(Service::Churn, Version::Slow);
    let examples = data::examples(Service::Churn, None).unwrap();
    let body = Value::Object(examples[0].fields.clone()).to_string();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            let mut wire = running.wire();
            scope.spawn({
                let body = &body;
                move || assert_eq!(wire.post("/predict", body).0, 200)
            });
        }
    });
    // One after the other would take 26 s.
    assert!(begin.elapsed() < Duration::from_secs(13), "waiting requests do not wait for each other");
    let page = running.get("/metrics").1;
    assert_eq!(value(&page, "bankchurn_request_duration_seconds_bucket{le=\"0.5\"}"), 0.0);
    assert_eq!(value(&page, "bankchurn_request_duration_seconds_bucket{le=\"+Inf\"}"), 40.0);
}

#[test]
fn term_finishes_what_is_under_way_and_closes_what_is_idle() {
    let mut running = start(Service::Churn, Version::Slow);
    let examples = data::examples(Service::Churn, None).unwrap();
    let body = Value::Object(examples[0].fields.clone()).to_string();
    let (mut busy, mut idle) = (running.wire(), running.wire());
    let (first, rest) = body.split_at(20);
    busy.send(format!("POST /predict HTTP/1.1\r\ncontent-length: {}\r\n\r\n{first}", body.len()));
    // The answer on the second connection takes 650 ms, so by then the first one's request has begun.
    assert_eq!(idle.post("/predict", &body).0, 200);
    running.term();
    assert!(idle.is_closed());
    busy.send(rest);
    let (status, head, _) = busy.answer();
    assert_eq!(status, 200);
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(running.exit_code(), Some(0));
    assert!(TcpStream::connect(running.address).is_err());
}

#[test]
fn a_model_file_is_used_and_a_broken_one_ends_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let serve = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_model-service"));
        command.args(["serve", "--model", "tip", "--version", "v3.1.0", "--port", "0", "--models"]).arg(dir.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ready = |child: Child| {
        let mut running = Running { address: ([127, 0, 0, 1], 0).into(), child };
        let lines = BufReader::new(running.child.stdout.take().unwrap()).lines();
        lines.map(Result::unwrap).find(|l| l.contains("is ready")).unwrap()
    };
    assert!(ready(serve()).contains("trained in"));
    let train = Command::new(env!("CARGO_BIN_EXE_model-service")).args(["train", "--out"]).arg(dir.path()).output();
    let train = train.unwrap();
    assert!(train.status.success(), "{train:?}");
    assert_eq!(String::from_utf8(train.stdout).unwrap().lines().count(), 1 + 17);
    assert!(ready(serve()).contains("read in"));
    std::fs::write(dir.path().join("tip-v3.1.0.json"), "{}").unwrap();
    let broken = serve().wait_with_output().unwrap();
    let error = String::from_utf8(broken.stderr).unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(error.starts_with("error: failed to load") && error.contains("missing field"), "{error}");
}

#[test]
fn usage_errors_say_what_is_known() {
    let check = |arguments: &[&str], want: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_model-service")).args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(want), "{error}");
    };
    let known = "no such version; known: v3.1.0, v3.2.0, v3.3.0, v3.4.0, v3.5.0, v4.0.0, v4.1.0";
    check(&["serve", "--model", "churn", "--version", "v9.9.9", "--port", "0"], known);
    check(
        &["serve", "--model", "fraud", "--version", "v3.1.0", "--port", "0"],
        "possible values: churn, tip, sentiment",
    );
    check(&["serve", "--model", "churn", "--version", "v3.1.0", "--port", "70000"], "70000 is not in 0..=65535");
    check(&["load", "--host", "a.local"], "--service <SERVICE>");
    check(&["load", "--service", "churn", "--host", "a b"], "neither blanks nor control characters");
    check(&["load", "--rate", "0"], "a rate is above 0 and at most 5000");
    check(&["load", "--duration", "-1"], "");
}

#[test]
fn a_release_of_another_service_is_an_error() {
    let arguments = ["serve", "--model", "tip", "--version", "v4.1.0", "--port", "0"];
    let output = Command::new(env!("CARGO_BIN_EXE_model-service")).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "error: failed to find v4.1.0 of tip: it has v3.1.0, v3.2.0, v3.3.0, v3.4.0, v3.5.0\n");
}

#[test]
fn a_port_in_use_is_an_error() {
    let running = start(Service::Tip, Version::Baseline);
    let port = running.address.port().to_string();
    let second = Command::new(env!("CARGO_BIN_EXE_model-service"))
        .args(["serve", "--model", "tip", "--version", "v3.1.0", "--port", &port])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8(second.stderr).unwrap().starts_with("error: failed to listen on 127.0.0.1:"));
}
