//! What turned out to be true: labels for predictions that were made before, from files, the command line and over HTTP.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::machine::Machine;
use crate::manifests::{App, background, sequential};
use crate::visitor::Visitor;

/// A pause that no test waits for.
const LONG: &str = "pause: {duration: 1000h}";

/// A rollout that compares predictions with labels from its first step on, half of whose requests go to the new version.
fn app() -> App {
    let mut app = App::new("model", &["setWeight: 50", LONG]);
    app.canary = background("truth");
    app.annotations = vec![("serin.dev/prediction".to_owned(), "$.prediction".to_owned())];
    app.tag = "fifth.1".to_owned();
    app
}

fn truth(tolerance: &str) -> String {
    sequential("truth", "compare", &format!("{{outcome: wrongPrediction, tolerance: {tolerance}}}"))
}

fn standing(view: &Value) -> Value {
    view["runs"][0]["metrics"][0]["standing"].clone()
}

/// A new version that predicts as often "no" as the stable one, watched at its first step.
fn begun(machine: &Machine) {
    machine.run(&["deploy", "model", "fifth.2"]).ok();
    machine.at_step("model", 1, 50);
    machine.until("model", "watched", |v| standing(v).is_object());
}

/// A request that was answered.
struct Seen {
    id: String,
    canary: bool,
    prediction: String,
}

impl Seen {
    /// The label that makes the prediction wrong.
    fn other(&self) -> &'static str {
        if self.prediction == "yes" { "no" } else { "yes" }
    }
}

/// Asks so often; answers have an id for as long as predictions are kept.
fn ask(visitor: &mut Visitor, count: usize) -> Vec<Seen> {
    let one = |_| {
        let answer = visitor.get("/predict").unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let text = |field: &str| body[field].as_str().unwrap().to_owned();
        let canary = text("version") == "fifth.2";
        (!answer.id.is_empty()).then(|| Seen { id: answer.id, canary, prediction: text("prediction") })
    };
    (0..count).filter_map(one).collect()
}

/// Lines of CSV in which every prediction was right, but for half of the canary's.
fn half_wrong(seen: &[Seen]) -> String {
    let mut canaries = 0;
    let line = |one: &Seen| {
        canaries += usize::from(one.canary);
        let wrong = one.canary && canaries % 2 == 0;
        format!("{},{}\n", one.id, if wrong { one.other() } else { &one.prediction })
    };
    seen.iter().map(line).collect()
}

fn all_right(seen: &[Seen]) -> String {
    seen.iter().map(|one| format!("{{\"id\":\"{}\",\"label\":\"{}\"}}\n", one.id, one.prediction)).collect()
}

#[test]
fn a_version_that_is_wrong_more_often_is_rolled_back_though_it_predicts_the_same_classes() {
    let app = app();
    let machine = Machine::with(&[&app], &[truth("5pt")]);
    begun(&machine);
    let visitor = RefCell::new(machine.visitor(&app));
    let file = machine.beside("labels.csv");
    let view = machine.until("model", "rolled back", |v| {
        std::fs::write(&file, format!("request_id,label\n{}", half_wrong(&ask(&mut visitor.borrow_mut(), 60))))
            .unwrap();
        machine.run(&["labels", "model", &file.to_string_lossy()]).ok();
        v["phase"] == "Degraded" && v["aborted"] == true
    });
    let standing = standing(&view);
    assert_eq!(standing["verdict"], "failed", "{standing:#}");
    assert!(standing["canary"]["bad"].as_f64() >= Some(3.0), "{standing:#}");
    assert_eq!(standing["stable"]["bad"], 0.0, "{standing:#}");
    assert!(machine.run(&["explain", "model"]).ok().contains("worse than tolerated"));
}

#[test]
fn a_version_that_is_right_as_often_goes_on_and_single_labels_are_enough() {
    let mut app = app();
    app.annotations.push(("serin.dev/advance".to_owned(), "evidence".to_owned()));
    let machine = Machine::with(&[&app], &[truth("30pt")]);
    begun(&machine);
    let visitor = RefCell::new(machine.visitor(&app));
    let view = machine.until("model", "promoted", |v| {
        // One label a request: no look ever finds some of both versions at once but by waiting for them.
        for one in ask(&mut visitor.borrow_mut(), 6) {
            machine.run(&["labels", "model", &format!("{}={}", one.id, one.prediction)]).ok();
        }
        v["promoted"] == true
    });
    assert_eq!(view["phase"], "Healthy", "{view:#}");
}

#[test]
fn a_killed_control_process_counts_every_label_once() {
    let app = app();
    let mut machine = Machine::with(&[&app], &[truth("60pt")]);
    begun(&machine);
    let mut visitor = machine.visitor(&app);
    let mut seen = Vec::new();
    let file = machine.beside("labels.jsonl");
    for patience in [0, 8, 16, 30, 60] {
        seen.extend(ask(&mut visitor, 300));
        std::fs::write(&file, all_right(&seen)).unwrap();
        let mut command = machine.command(&["labels", "model", &file.to_string_lossy()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(patience));
        machine.kill_control();
        child.wait().unwrap();
        machine.up_again();
    }
    let told = machine.run(&["labels", "model", &file.to_string_lossy(), "-o", "json"]).json();
    let labels = &told["labels"];
    let both = labels["counted"].as_u64().unwrap() + labels["again"]["count"].as_u64().unwrap();
    assert_eq!(both, seen.len() as u64, "the router has kept every prediction: {told:#}");
    let again = machine.run(&["labels", "model", &file.to_string_lossy(), "-o", "json"]).json();
    assert_eq!((&again["labels"]["counted"], &again["labels"]["again"]["count"]), (&json!(0), &json!(seen.len())));
    for (role, canary) in [("canary", true), ("stable", false)] {
        let here = seen.iter().filter(|one| one.canary == canary).count();
        let version = labels["versions"].as_array().unwrap().iter().find(|v| v["role"] == role).unwrap();
        assert_eq!((&version["labelled"], &version["wrong"]), (&json!(here), &json!(0)), "{told:#}");
        machine.until("model", "judged in full", |v| standing(v)[role]["total"].as_f64() == Some(here as f64));
    }
    let view = machine.view("model");
    assert_eq!(view["runs"].as_array().unwrap().len(), 1, "{view:#}");
}

#[test]
fn labels_that_cannot_be_counted_are_told() {
    let app = app();
    let machine = Machine::with(&[&app], &[truth("60pt")]);
    let idle = machine.run(&["labels", "model", "some=yes", "-o", "json"]).json();
    assert!(idle["labels"]["remark"].as_str().unwrap().contains("no analysis of default/model"), "{idle:#}");
    begun(&machine);
    let seen = ask(&mut machine.visitor(&app), 4);
    let lines = format!(
        "request_id,label\n{id},yes\n{id},no\n\nnobody,yes\nno comma\n{id2},\n{id2},yes\nnever seen,yes\n",
        id = seen[0].id,
        id2 = seen[1].id
    );
    let file = machine.beside("labels.csv");
    std::fs::write(&file, lines).unwrap();
    let ran = machine.run(&["labels", "model", &file.to_string_lossy()]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    let counted = "default/model: 2 labels counted";
    assert!(ran.out.starts_with(counted), "{}", ran.out);
    assert!(ran.out.contains(&format!("1 had a label already, which stays: {}", seen[0].id)), "{}", ran.out);
    assert!(ran.out.contains("1 have no prediction that is kept: nobody"), "{}", ran.out);
    for line in [
        "line 6: 1 fields instead of 2",
        "line 7: the label is empty",
        "line 9: \"never seen\"",
        "3 lines are no labels",
    ] {
        assert!(ran.err.contains(line), "{line} is not in {}", ran.err);
    }
    // From standard input, and words that are neither.
    let file = std::fs::File::open(&file).unwrap();
    let out = machine.command(&["labels", "model", "-", "-o", "json"]).stdin(file).output().unwrap();
    let told: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&told["labels"]["again"]["count"], told["problems"].as_array().unwrap().len()), (&json!(3), 3));
    assert_eq!(machine.run(&["labels", "model", "absent.csv"]).code, 2);
    assert_eq!(machine.run(&["labels", "model", "a=yes", "b"]).code, 2);
    assert_eq!(machine.run(&["labels", "nobody", "a=yes"]).code, 2);
}

/// A machine with its status on a port, and what its HTTP says.
struct Posting {
    machine: Machine,
    address: String,
    token: String,
}

impl Posting {
    /// Sends a request and reads the answer: its status and its body.
    fn send(&self, head: &[String], body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let head = head.join("\r\n") + "\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let head = self.head(path, kind, body.len());
        self.send(&head, body)
    }

    fn head(&self, path: &str, kind: &str, length: usize) -> Vec<String> {
        vec![
            format!("POST {path} HTTP/1.1"),
            "Host: localhost".to_owned(),
            format!("Authorization: Bearer {}", self.token),
            format!("Content-Type: {kind}"),
            format!("Content-Length: {length}"),
        ]
    }
}

const HERE: &str = "/api/v1/rollouts/default/model/labels";

#[test]
fn labels_come_over_http_from_who_has_the_token() {
    let app = app();
    let mut machine = Machine::new();
    machine.write("model.yaml", &app.yaml());
    machine.write("truth.yaml", &truth("60pt"));
    machine.arguments = vec!["--status".to_owned(), "127.0.0.1:0".to_owned()];
    machine.up();
    machine.until("model", "healthy at first", |v| v["phase"] == "Healthy");
    begun(&machine);
    let seen = ask(&mut machine.visitor(&app), 20);
    let address = machine.run(&["info", "-o", "json"]).json()["status"].as_str().unwrap().to_owned();
    let file = machine.state().join("token");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(file).unwrap();
    let lines = all_right(&seen);
    let mut posting = Posting { machine, address, token: "0".repeat(64) };
    let (status, body) = posting.post(HERE, "text/csv", lines.as_bytes());
    assert_eq!(status, 401, "{body}");
    posting.token = token;

    let (status, body) = posting.post(HERE, "application/x-ndjson", lines.as_bytes());
    let told: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
    assert_eq!((status, &told["labels"]["counted"]), (200, &json!(20)), "{body}");
    let csv = format!("{},yes\nnobody,yes\nrubbish\n", seen[0].id);
    let (status, body) = posting.post(HERE, "text/csv; charset=utf-8", csv.as_bytes());
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &told["labels"]["again"]["count"], &told["labels"]["unknown"]["count"]),
        (200, &json!(1), &json!(1))
    );
    assert_eq!(told["problems"]["first"][0], json!({"line": 3, "message": "1 fields instead of 2"}));

    let check = |(status, body): (u16, String), want: u16, why: &str| {
        assert_eq!(status, want, "{body}");
        assert!(body.contains(why), "{body}");
    };
    check(posting.post(HERE, "text/csv", b"rubbish\nmore of it\n"), 422, "no line is a label");
    check(posting.post(HERE, "image/png", b"a,yes"), 415, "neither text/csv nor application/x-ndjson");
    check(posting.post("/api/v1/rollouts/default/nobody/labels", "text/csv", b"a,yes"), 404, "default/nobody");
    check(posting.post("/api/v1/rollouts/default/mod/labels", "text/csv", b"a,yes"), 404, "default/mod");
    check(posting.post("/api/v1/rollouts", "text/csv", b"a,yes"), 404, "NAMESPACE/NAME/labels");
    check(posting.send(&posting.head(HERE, "text/csv", 9 << 20), b""), 413, "several requests");
    check(posting.send(&posting.head(HERE, "text/csv", 0)[..4], b""), 411, "content-length");
    let without = [posting.head(HERE, "text/csv", 5)[..2].to_vec(), vec!["Content-Length: 5".to_owned()]].concat();
    check(posting.send(&without, b"a,yes"), 401, "Bearer TOKEN");
    check(posting.send(&["PUT /healthz HTTP/1.1".to_owned()], b""), 405, "only GET");
    check(posting.send(&["GET /healthz HTTP/1.1".to_owned()], b""), 200, "ok");
    // What asks before it sends is told to go on.
    let head = [posting.head(HERE, "text/csv", 6), vec!["Expect: 100-continue".to_owned()]].concat();
    let mut stream = TcpStream::connect(&posting.address).unwrap();
    stream.write_all((head.join("\r\n") + "\r\n\r\n").as_bytes()).unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"zz,yes").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 OK"), "{rest}");
    let said = posting.machine.said_ever();
    assert!(!said.contains(&posting.token), "the token is never told");
}

#[test]
fn a_rollout_without_a_prediction_says_why_nothing_is_compared() {
    let mut app = app();
    app.annotations.clear();
    let machine = Machine::with(&[&app], &[truth("60pt")]);
    begun(&machine);
    let view = machine.view("model");
    let value = view["runs"][0]["metrics"][0]["measurements"][0]["value"].as_str().unwrap_or_default();
    assert!(value.contains("no annotation serin.dev/prediction"), "{view:#}");
    let told = machine.run(&["labels", "model", "some=yes"]).ok();
    assert!(told.contains("no annotation serin.dev/prediction"), "{told}");
}
