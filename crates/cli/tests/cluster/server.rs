//! An API server in memory on loopback: enough of Kubernetes' API for the commands, with every call that changes something written
//! down as verb, path and body.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use serin_controller::merge_patch;

/// Kinds by their plurals.
const KINDS: [(&str, &str); 15] = [
    ("rollouts", "Rollout"),
    ("experiments", "Experiment"),
    ("analysisruns", "AnalysisRun"),
    ("analysistemplates", "AnalysisTemplate"),
    ("clusteranalysistemplates", "ClusterAnalysisTemplate"),
    ("replicasets", "ReplicaSet"),
    ("deployments", "Deployment"),
    ("podtemplates", "PodTemplate"),
    ("pods", "Pod"),
    ("services", "Service"),
    ("ingresses", "Ingress"),
    ("configmaps", "ConfigMap"),
    ("secrets", "Secret"),
    ("events", "Event"),
    ("namespaces", "Namespace"),
];

/// An object by plural, namespace and name.
type Key = (String, String, String);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    /// Every change: its version, what it was (`ADDED`, `MODIFIED`, `DELETED`), and the object.
    history: Vec<(u64, &'static str, Key, Value)>,
    version: u64,
    calls: Vec<String>,
}

/// The server. It ends with the test process.
#[derive(Clone)]
pub(crate) struct Server {
    address: std::net::SocketAddr,
    state: Arc<Mutex<State>>,
    /// So many updates are refused as conflicts.
    pub(crate) conflicts: Arc<AtomicUsize>,
    /// Whether Argo's kinds have no status subresource, as those of old.
    pub(crate) without_status: Arc<AtomicUsize>,
}

impl Server {
    /// A server that holds these objects.
    pub(crate) fn with(objects: impl IntoIterator<Item = Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            conflicts: Arc::default(),
            without_status: Arc::default(),
        };
        objects.into_iter().for_each(|object| server.put(object));
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes or changes an object behind everybody's back.
    pub(crate) fn put(&self, object: Value) {
        let plural = KINDS.iter().find(|(_, kind)| object["kind"] == *kind).map(|(plural, _)| *plural).unwrap();
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        let key = (plural.to_owned(), text("namespace"), text("name"));
        self.lock().store(&key, object);
    }

    /// Changes an object by a merge patch.
    pub(crate) fn patch(&self, plural: &str, name: &str, patch: &Value) {
        let changed = merge_patch::apply(&self.get(plural, name).unwrap(), patch);
        self.put(changed);
    }

    /// An object.
    pub(crate) fn get(&self, plural: &str, name: &str) -> Option<Value> {
        let state = self.lock();
        state.objects.iter().find(|((p, _, n), _)| p == plural && n == name).map(|(_, object)| object.clone())
    }

    /// Takes an object away.
    pub(crate) fn remove(&self, plural: &str, name: &str) {
        let mut state = self.lock();
        let key = state.objects.keys().find(|(p, _, n)| p == plural && n == name).cloned().unwrap();
        state.take(&key);
    }

    /// The calls that changed something, and forgets all.
    pub(crate) fn calls(&self) -> Vec<String> {
        let all = std::mem::take(&mut self.lock().calls).into_iter();
        all.filter(|call| !call.starts_with("GET ") && !call.starts_with("WATCH ")).collect()
    }

    /// Waits until somebody watches so many kinds.
    pub(crate) fn watched(&self, kinds: usize) {
        while self.lock().calls.iter().filter(|call| call.starts_with("WATCH ")).count() < kinds {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn serve(&self, stream: TcpStream) {
        let Ok(writing) = stream.try_clone() else { return };
        let mut reading = BufReader::new(stream);
        while let Some(request) = Request::read(&mut reading) {
            if !self.answer(&request, &writing) {
                return;
            }
        }
    }

    /// Answers; whether the connection goes on.
    fn answer(&self, request: &Request, mut to: &TcpStream) -> bool {
        self.lock().calls.push(request.line());
        if request.query.get("watch").is_some_and(|watch| watch == "true" || watch == "1") {
            self.watch(request, to);
            return false;
        }
        let (code, body) = self.reply(request);
        let text = body.to_string();
        let head =
            format!("HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
        to.write_all(head.as_bytes()).and_then(|()| to.write_all(text.as_bytes())).is_ok()
    }

    /// Tells what happens from a version on, for as long as somebody listens.
    fn watch(&self, request: &Request, mut to: &TcpStream) {
        let Some((plural, namespace, ..)) = request.target() else { return };
        let mut seen: u64 = request.query.get("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0);
        let head = "HTTP/1.1 200 X\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        if to.write_all(head.as_bytes()).is_err() {
            return;
        }
        loop {
            let news: Vec<(u64, &str, Value)> = {
                let state = self.lock();
                let new = state.history.iter().filter(|(version, _, key, _)| {
                    *version > seen && key.0 == plural && (namespace.is_empty() || key.1 == namespace)
                });
                new.map(|(version, what, _, object)| (*version, *what, object.clone())).collect()
            };
            for (version, what, object) in news {
                seen = version;
                let line = json!({ "type": what, "object": object }).to_string() + "\n";
                if to.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).is_err() {
                    return;
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn reply(&self, request: &Request) -> (u16, Value) {
        let Some((plural, namespace, name, sub)) = request.target() else {
            return failure(404, "NotFound", "the server could not find the requested resource");
        };
        let mut state = self.lock();
        let key = (plural.clone(), namespace.clone(), name.clone());
        let has_status = self.without_status.load(Ordering::Relaxed) == 0;
        if request.method == "POST" {
            return state.create(&key, &request.body);
        }
        if name.is_empty() {
            return (200, state.list(&plural, &namespace, &request.query));
        }
        if sub == "log" {
            return (200, json!(format!("a line of {name}")));
        }
        let present = state.objects.get(&key).cloned();
        let apply = request.kind.contains("apply-patch");
        let Some(present) = present.filter(|_| sub.is_empty() || has_status) else {
            if apply {
                let body = request.body.clone();
                return (201, state.store(&key, body));
            }
            let group = request.path.split('/').nth(2).filter(|_| request.path.starts_with("/apis"));
            let group = group.map_or_else(String::new, |group| format!(".{group}"));
            return failure(404, "NotFound", &format!("{plural}{group} \"{name}\" not found"));
        };
        match request.method.as_str() {
            "GET" => (200, present),
            "DELETE" => {
                state.take(&key);
                (200, json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
            }
            "PUT" => {
                let left = self.conflicts.load(Ordering::Relaxed);
                if left > 0 {
                    self.conflicts.store(left - 1, Ordering::Relaxed);
                    return failure(409, "Conflict", "the object has been modified");
                }
                (200, state.store(&key, request.body.clone()))
            }
            "PATCH" => {
                let mut changed = match request.kind.as_str() {
                    kind if kind.contains("json-patch") => replaced(&present, &request.body),
                    _ => merge_patch::apply(&present, &request.body),
                };
                let argo = request.path.contains("argoproj.io");
                // Each of the two ways changes its own half.
                if argo && has_status && sub.is_empty() && !apply {
                    changed["status"] = present["status"].clone();
                } else if sub == "status" {
                    changed["spec"] = present["spec"].clone();
                }
                (200, state.store(&key, changed))
            }
            _ => failure(405, "MethodNotAllowed", "no such verb here"),
        }
    }
}

impl State {
    fn store(&mut self, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let before = self.objects.insert(key.clone(), object.clone());
        let what = if before.is_some() { "MODIFIED" } else { "ADDED" };
        self.history.push((self.version, what, key.clone(), object.clone()));
        object
    }

    fn take(&mut self, key: &Key) {
        self.version += 1;
        if let Some(object) = self.objects.remove(key) {
            self.history.push((self.version, "DELETED", key.clone(), object));
        }
    }

    fn create(&mut self, (plural, namespace, _): &Key, body: &Value) -> (u16, Value) {
        let mut body = body.clone();
        let metadata = &mut body["metadata"];
        if let Some(begin) = metadata["generateName"].as_str().map(str::to_owned) {
            let taken =
                |n: &u32| self.objects.contains_key(&(plural.clone(), namespace.clone(), format!("{begin}{n}")));
            let free = (1..).find(|n| !taken(n)).unwrap_or(0);
            metadata["name"] = format!("{begin}{free}").into();
        }
        let name = metadata["name"].as_str().unwrap_or_default().to_owned();
        let key = (plural.clone(), namespace.clone(), name.clone());
        if self.objects.contains_key(&key) {
            return failure(409, "AlreadyExists", &format!("{plural} \"{name}\" already exists"));
        }
        metadata["uid"] = format!("u-{name}").into();
        (201, self.store(&key, body))
    }

    fn list(&self, plural: &str, namespace: &str, query: &BTreeMap<String, String>) -> Value {
        let labels = query.get("labelSelector").cloned().unwrap_or_default();
        let field = query.get("fieldSelector").and_then(|f| f.strip_prefix("metadata.name=")).map(str::to_owned);
        let kind = KINDS.iter().find(|(p, _)| *p == plural).map_or("", |(_, kind)| *kind);
        let of_labels = |object: &Value| {
            labels.split(',').filter(|term| !term.is_empty()).all(|term| {
                let (key, value) = term.split_once('=').unwrap();
                object["metadata"]["labels"][key] == value
            })
        };
        let all = self.objects.iter().filter(|((p, n, _), _)| p == plural && (namespace.is_empty() || n == namespace));
        let all = all.filter(|((.., name), _)| field.as_ref().is_none_or(|field| field == name));
        let items: Vec<Value> = all.map(|(_, object)| object.clone()).filter(of_labels).collect();
        let version = if plural.contains("analysis") || plural == "rollouts" || plural == "experiments" {
            "argoproj.io/v1alpha1"
        } else if matches!(plural, "replicasets" | "deployments") {
            "apps/v1"
        } else {
            "v1"
        };
        json!({
            "kind": format!("{kind}List"), "apiVersion": version,
            "metadata": { "resourceVersion": self.version.to_string() }, "items": items,
        })
    }
}

/// The only operation of a JSON patch that is used.
fn replaced(object: &Value, patch: &Value) -> Value {
    let mut object = object.clone();
    for operation in patch.as_array().unwrap() {
        assert_eq!(operation["op"], "replace");
        *object.pointer_mut(operation["path"].as_str().unwrap()).unwrap() = operation["value"].clone();
    }
    object
}

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (code, status)
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    /// Content type.
    kind: String,
    body: Value,
}

impl Request {
    fn read(from: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (mut kind, mut length) = (String::new(), 0);
        loop {
            let mut header = String::new();
            from.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            match name.to_lowercase().as_str() {
                "content-type" => kind = value.trim().to_owned(),
                "content-length" => length = value.trim().parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = pairs.map(|(key, value)| (key.to_owned(), unescaped(value))).collect();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Some(Self { method, path: path.to_owned(), query, kind, body })
    }

    /// Plural, namespace, name and subresource.
    fn target(&self) -> Option<(String, String, String, String)> {
        let mut parts: Vec<&str> = self.path.trim_matches('/').split('/').collect();
        let root = if parts.first() == Some(&"api") { 2 } else { 3 };
        if parts.len() <= root {
            return None;
        }
        parts.drain(..root);
        let namespace = match parts.as_slice() {
            ["namespaces", namespace, _, ..] => Some((*namespace).to_owned()),
            _ => None,
        };
        if namespace.is_some() {
            parts.drain(..2);
        }
        let part = |i: usize| parts.get(i).map_or_else(String::new, |part| (*part).to_owned());
        Some((part(0), namespace.unwrap_or_default(), part(1), part(2)))
    }

    /// As the tests name it.
    fn line(&self) -> String {
        let how = ["merge", "strategic", "json", "apply"].into_iter();
        let how = how.filter(|how| self.method == "PATCH" && self.kind.contains(&format!("{how}-")));
        let how = how.map(|how| format!(" {how}")).next().unwrap_or_default();
        let labels = self.query.get("labelSelector").map(|labels| format!(" [{labels}]")).unwrap_or_default();
        let body = if self.body.is_null() { String::new() } else { format!(" {}", sorted(&self.body)) };
        let watch = self.query.get("watch").is_some_and(|watch| watch == "true" || watch == "1");
        let method = if watch { "WATCH" } else { &self.method };
        format!("{method}{how} {}{labels}{body}", self.path)
    }
}

/// The same with its keys in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), sorted(&fields[key]))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'%', [a, b, after @ ..]) => {
                let hex = [*a, *b];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                rest = after;
            }
            (b'+', after) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, after) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
