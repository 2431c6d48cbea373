//! Who may reach the machine, and that values of Secrets reach those whom they are for and nobody else.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::machine::Machine;
use crate::manifests::{App, analysis};

/// The values; the second only travels to a metric source.
const TOKEN: &str = "member-t0ken-83f1";
const PASSWORD: &str = "metric-passw0rd-c27a";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn sockets_and_state_are_private_and_everything_listens_on_loopback() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let machine = Machine::with(&[&app], &[]);
    for folder in [machine.state(), machine.state().join("logs")] {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
    }
    for socket in ["control.sock", "router.sock"] {
        assert_eq!(mode(&machine.state().join(socket)), 0o600, "{socket}");
    }
    let listening = listeners(&machine.processes());
    // The router's and the member's at least.
    assert!(listening.len() >= 2, "{listening:?}");
    assert!(listening.iter().all(|address| address.starts_with("0100007F:")), "{listening:?}");
}

/// Addresses that these processes listen on, as the kernel writes them.
fn listeners(pids: &[i32]) -> BTreeSet<String> {
    let mut inodes = BTreeSet::new();
    for pid in pids {
        for descriptor in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let target = std::fs::read_link(descriptor.path()).unwrap_or_default();
            let inode = target.to_string_lossy().strip_prefix("socket:[").map(|i| i.trim_end_matches(']').to_owned());
            inodes.extend(inode);
        }
    }
    let mut found = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && inodes.contains(fields[9]) {
                found.insert(fields[1].to_owned());
            }
        }
    }
    found
}

/// A metric source whose answers repeat the question, as careless ones do: first as errors, then as what was measured.
fn careless() -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(String::new()));
    let keep = Arc::clone(&heard);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let mut asked = String::new();
            let mut reader = BufReader::new(stream);
            while reader.read_line(&mut asked).is_ok_and(|n| n > 2) {}
            let (status, body) = match number {
                0 => ("500 No", format!("not for you: {asked}")),
                1 => ("200 OK", asked.clone()),
                _ => ("200 OK", serde_json::json!({"verdict": asked}).to_string()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = reader.get_mut().write_all((head + &body).as_bytes());
            keep.lock().unwrap().push_str(&asked);
        }
    });
    (port, heard)
}

#[test]
fn values_of_secrets_appear_nowhere() {
    let (port, heard) = careless();
    let objects = format!(
        r#"---
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData: {{token: {TOKEN}, password: {PASSWORD}}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: ask}}
spec:
  args:
    - name: hash
    - name: password
      valueFrom: {{secretKeyRef: {{name: keys, key: password}}}}
  metrics:
    - name: verdict
      interval: 5s
      count: 3
      failureLimit: 0
      consecutiveErrorLimit: 3
      successCondition: result == "good"
      provider:
        web:
          url: "http://127.0.0.1:{port}/judge?for={{{{args.hash}}}}"
          jsonPath: "{{$.verdict}}"
          headers: [{{key: Authorization, value: "Bearer {{{{args.password}}}}"}}]
"#
    );
    let mut app = App::new("model", &["setWeight: 50", &analysis("ask"), "setWeight: 80"]);
    app.container = "env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}]".to_owned();
    let machine = Machine::with(&[&app], &[objects]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.until("model", "aborted", |v| v["aborted"] == true && v["weight"]["actual"] == 0);

    // Those whom they are for have them.
    assert_eq!(machine.visitor(&app).get("/token").unwrap().body, TOKEN);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains(&format!("Authorization: Bearer {PASSWORD}")), "{heard}");

    let mut seen = machine.said_ever();
    for command in [
        &["status", "-o", "json"][..],
        &["get", "rollout", "model"],
        &["get", "rollout", "model", "-o", "yaml"],
        &["explain", "model"],
        &["history", "model"],
        &["history", "model", "-o", "json"],
        &["logs", "model", "--lines", "1000"],
        &["logs", "router", "--lines", "1000"],
        &["query", "{__name__=~\".+\"}"],
        &["-vv", "list"],
    ] {
        let ran = machine.run(command);
        seen += &ran.out;
        seen += &ran.err;
    }
    for log in std::fs::read_dir(machine.state().join("logs")).unwrap().flatten() {
        seen += &String::from_utf8_lossy(&std::fs::read(log.path()).unwrap());
    }
    assert!(seen.contains("500") && seen.contains("Bearer *"), "the analysis and its values are there: {seen}");
    for value in [TOKEN, PASSWORD] {
        let at = seen.find(value);
        assert_eq!(at, None, "{}", at.map_or("", |i| &seen[i.saturating_sub(300)..i + 30]));
    }
}
