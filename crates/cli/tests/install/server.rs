//! An API server on loopback that keeps objects by their path and writes down every request. Applying merges, as far as objects
//! without lists of their own need it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

#[derive(Default)]
struct Held {
    objects: BTreeMap<String, Value>,
    calls: Vec<String>,
}

pub(crate) struct Server {
    held: Arc<Mutex<Held>>,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let held = Arc::new(Mutex::new(Held::default()));
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u", "namespace": "shop" } }],
            "clusters": [{ "name": "c", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "u", "user": { "token": "t" } }],
        });
        std::fs::write(folder.path().join("kubeconfig"), config.to_string()).unwrap();
        let shared = held.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { held, folder }
    }

    /// The kubeconfig that leads to it.
    pub(crate) fn kubeconfig(&self) -> String {
        let path: PathBuf = self.folder.path().join("kubeconfig");
        path.to_string_lossy().into_owned()
    }

    pub(crate) fn put(&self, path: &str, object: Value) {
        self.held.lock().unwrap().objects.insert(path.to_owned(), object);
    }

    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.held.lock().unwrap().objects.get(path).cloned()
    }

    /// The requests since the last time, as `VERB path`.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.held.lock().unwrap().calls)
    }
}

/// The requests of one connection.
fn serve(stream: TcpStream, held: &Mutex<Held>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let (code, answer) = answer(&method, &path, &body, &mut held.lock().unwrap());
        let text = answer.to_string();
        let head =
            format!("HTTP/1.1 {code} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all((head + &text).as_bytes()).unwrap();
    }
}

fn answer(method: &str, path: &str, body: &[u8], held: &mut Held) -> (u16, Value) {
    held.calls.push(format!("{method} {path}"));
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    match method {
        "GET" if query.contains("limit=") => {
            let below = format!("{place}/");
            let items: Vec<&Value> =
                held.objects.iter().filter(|(path, _)| path.starts_with(&below)).map(|(_, object)| object).collect();
            (200, json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "1" }, "items": items }))
        }
        "GET" => match held.objects.get(place) {
            Some(object) => (200, object.clone()),
            None => (404, status(404, "NotFound")),
        },
        "PATCH" => {
            let mut object = held.objects.get(place).cloned().unwrap_or_else(|| json!({}));
            merge(&mut object, &body);
            if !query.contains("dryRun=All") {
                held.objects.insert(place.to_owned(), object.clone());
            }
            (200, object)
        }
        "POST" => {
            let path = format!("{place}/{}", body["metadata"]["name"].as_str().unwrap());
            held.objects.insert(path, body.clone());
            (201, body)
        }
        _ => (405, status(405, "MethodNotAllowed")),
    }
}

fn merge(object: &mut Value, patch: &Value) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (object, patch) => *object = patch.clone(),
    }
}

fn status(code: u16, reason: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason })
}
