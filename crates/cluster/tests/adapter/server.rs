//! The server: real HTTP on loopback over [`objects::Objects`], with a log of every call and switches for what goes wrong.

mod objects;
mod wire;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use serin_cluster::{Client, Options, Resource};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use objects::{Objects, Refused, Seen};
use wire::{Connection, Request};

/// One request, as an audit log would name it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// `get`, `list`, `watch`, `create`, `update`, `patch` or `delete`.
    pub(crate) verb: &'static str,
    /// The path without its query.
    pub(crate) path: String,
    /// The query.
    pub(crate) query: String,
    /// The body; null if there is none.
    pub(crate) body: Value,
    /// The status that it was answered with; 0 if it was not answered.
    pub(crate) code: u16,
}

/// What happens to a call that a switch stands for.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// Refused with this status, reason and message.
    Refuse(u16, &'static str, &'static str),
    /// The connection is closed before anything happens.
    Drop,
    /// It is carried out, and the connection is closed without an answer.
    LoseAnswer,
    /// It is carried out after a while.
    Delay(Duration),
}

/// A switch: the `nth` call from now on (1 is the next one) of the verb whose path holds `path`.
#[derive(Debug, Clone)]
struct Switch {
    verb: &'static str,
    path: String,
    /// Counts down; the trouble happens at 1. `None` for every call.
    nth: Option<u32>,
    trouble: Trouble,
}

#[derive(Debug, Default)]
struct State {
    objects: Objects,
    calls: Vec<Call>,
    switches: Vec<Switch>,
    freeze: Freeze,
    /// Whether watches tell nothing for now.
    held: bool,
}

/// The moment at which nobody is answered any more, as seen by a process that is killed there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Freeze {
    #[default]
    Never,
    /// At the write of this number, events counted: before or after it is carried out.
    At { nth: u32, after: bool },
    /// Now.
    Frozen,
}

/// A running server. It ends with the runtime that it was started on.
#[derive(Clone)]
pub(crate) struct Server {
    address: std::net::SocketAddr,
    state: Arc<Mutex<State>>,
    /// The newest version: wakes watches.
    version: Arc<watch::Sender<u64>>,
    /// Counted up to close all connections.
    cut: Arc<watch::Sender<u64>>,
}

impl Server {
    /// Starts one that knows all kinds of Serin.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            version: Arc::new(watch::channel(0).0),
            cut: Arc::new(watch::channel(0).0),
        };
        let one = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (one, mut cut) = (one.clone(), one.cut.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        () = one.serve(stream) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        server
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client of this server; the kubeconfig is written into the folder.
    pub(crate) async fn client(&self, folder: &Path) -> Client {
        let path = folder.join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": format!("http://{}", self.address) } }],
            "users": [{ "name": "test", "user": {} }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test", "namespace": "shop" } }],
        });
        std::fs::write(&path, config.to_string()).unwrap();
        let timeout = Some(Duration::from_secs(10));
        Client::new(&Options { kubeconfig: Some(path), timeout, returns_busy: true, ..Options::default() })
            .await
            .unwrap()
    }

    /// Makes an object, or replaces it, as somebody else would. Its kind says where it is kept.
    pub(crate) fn put(&self, object: Value) -> Value {
        self.change(|objects| objects.put(object))
    }

    /// Changes an object as somebody else would; the status, too.
    pub(crate) fn edit(&self, resource: Resource, namespace: &str, name: &str, edit: impl FnOnce(&mut Value)) -> Value {
        let mut object = self.get(resource, namespace, name).unwrap();
        edit(&mut object);
        self.put(object)
    }

    /// Deletes an object as somebody else would.
    pub(crate) fn remove(&self, resource: Resource, namespace: &str, name: &str) {
        self.change(|objects| objects.delete(&objects::Key::of(resource, namespace, name)).unwrap());
    }

    /// An object, if it is there.
    pub(crate) fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Value> {
        self.state().objects.get(&objects::Key::of(resource, namespace, name)).cloned()
    }

    /// The objects of a kind.
    pub(crate) fn all(&self, resource: Resource) -> Vec<Value> {
        self.state().objects.list(resource.api_version, resource.plural, "", "")
    }

    /// Takes a kind away, as if its definition were missing.
    pub(crate) fn without(&self, resource: Resource) {
        self.state().objects.forget_kind(resource);
    }

    /// Forgets the past: a watch that begins in it is told so (410).
    pub(crate) fn compact(&self) {
        self.state().objects.compact();
    }

    /// Closes every connection.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|times| *times += 1);
    }

    /// From now on the `nth` call of this verb (`*` for any) whose path holds `path` meets trouble, once.
    pub(crate) fn trouble(&self, verb: &'static str, path: &str, nth: u32, trouble: Trouble) {
        self.state().switches.push(Switch { verb, path: path.to_owned(), nth: Some(nth), trouble });
    }

    /// From now on every such call does, until [`Server::calm`].
    pub(crate) fn always(&self, verb: &'static str, path: &str, trouble: Trouble) {
        self.state().switches.push(Switch { verb, path: path.to_owned(), nth: None, trouble });
    }

    /// No trouble any more.
    pub(crate) fn calm(&self) {
        self.state().switches.clear();
    }

    /// Nobody is answered any more from the `nth` write on (1 is the next one); that one is carried out or not.
    pub(crate) fn freeze_at(&self, nth: u32, after: bool) {
        self.state().freeze = Freeze::At { nth, after };
    }

    /// Whether it came to that.
    pub(crate) fn is_frozen(&self) -> bool {
        self.state().freeze == Freeze::Frozen
    }

    /// Answers again; whoever waited has been forgotten.
    pub(crate) fn thaw(&self) {
        self.state().freeze = Freeze::Never;
        self.cut();
    }

    /// From now on watches tell nothing of what happens, or all of it again.
    pub(crate) fn hold_watches(&self, held: bool) {
        self.state().held = held;
        self.version.send_modify(|_| ());
    }

    /// Whether this request is never answered, and if so whether it is carried out.
    fn freezes(&self, seen: &Seen) -> Option<bool> {
        let mut state = self.state();
        let write = !["get", "list", "watch"].contains(&seen.verb);
        match &mut state.freeze {
            Freeze::Never => None,
            Freeze::Frozen => Some(false),
            Freeze::At { nth, after } if write && *nth <= 1 => {
                let after = *after;
                state.freeze = Freeze::Frozen;
                Some(after)
            }
            Freeze::At { nth, .. } => {
                *nth -= u32::from(write);
                None
            }
        }
    }

    /// All calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Those that write, without events and leases.
    pub(crate) fn writes(&self) -> Vec<Call> {
        let writes = |call: &Call| !["get", "list", "watch"].contains(&call.verb);
        let own = |call: &Call| !call.path.contains("/events") && !call.path.contains("/leases");
        self.calls().into_iter().filter(|call| writes(call) && own(call)).collect()
    }

    /// Those that write, as `verb path`, events among them, leases not.
    pub(crate) fn written(&self) -> Vec<String> {
        let writes = |call: &Call| !["get", "list", "watch"].contains(&call.verb) && !call.path.contains("/leases");
        self.calls().iter().filter(|call| writes(call)).map(|call| format!("{} {}", call.verb, call.path)).collect()
    }

    /// Forgets the calls so far.
    pub(crate) fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Waits until something holds; panics with what was called when it does not within ten seconds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..1000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let calls: Vec<String> =
            self.calls().iter().map(|c| format!("{} {} {} {}", c.code, c.verb, c.path, c.body)).collect();
        panic!("it did not come about that {what}; calls:\n{}", calls.join("\n"));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Objects) -> T) -> T {
        let (made, version) = {
            let mut state = self.state();
            let made = change(&mut state.objects);
            (made, state.objects.version())
        };
        self.version.send_replace(version);
        made
    }

    /// Answers the requests of one connection.
    async fn serve(&self, stream: TcpStream) {
        let mut connection = Connection::new(stream);
        while let Some(request) = connection.read().await {
            let Ok(seen) = Seen::of(&request) else {
                if connection.answer(404, &status(404, "NotFound", "the path is not served")).await.is_err() {
                    return;
                }
                continue;
            };
            if let Some(carried_out) = self.freezes(&seen) {
                if carried_out {
                    let _ = self.change(|objects| objects.serve(&seen, &request.body));
                    self.note(&seen, request, 0);
                }
                return std::future::pending().await;
            }
            let trouble = self.meets(&seen, &request);
            if let Some(Trouble::Delay(wait)) = trouble {
                tokio::time::sleep(wait).await;
            }
            match trouble {
                Some(Trouble::Drop) => {
                    self.note(&seen, request, 0);
                    return;
                }
                Some(Trouble::Refuse(code, reason, message)) => {
                    self.note(&seen, request, code);
                    if connection.answer(code, &status(code, reason, message)).await.is_err() {
                        return;
                    }
                    continue;
                }
                _ => {}
            }
            if seen.verb == "watch" {
                self.note(&seen, request, 200);
                self.stream(&seen, connection).await;
                return;
            }
            let answer = self.change(|objects| objects.serve(&seen, &request.body));
            let (code, body) = match answer {
                Ok((code, body)) => (code, body),
                Err(Refused { code, reason, message }) => (code, status(code, reason, &message)),
            };
            let lost = matches!(trouble, Some(Trouble::LoseAnswer));
            self.note(&seen, request, if lost { 0 } else { code });
            if lost || connection.answer(code, &body).await.is_err() {
                return;
            }
        }
    }

    fn meets(&self, seen: &Seen, request: &Request) -> Option<Trouble> {
        let mut state = self.state();
        let fits =
            |switch: &Switch| (switch.verb == "*" || switch.verb == seen.verb) && request.path.contains(&switch.path);
        let mut met = None;
        for switch in state.switches.iter_mut().filter(|switch| fits(switch)) {
            match &mut switch.nth {
                None => met = Some(switch.trouble.clone()),
                Some(1) => {
                    met = Some(switch.trouble.clone());
                    switch.nth = Some(0);
                }
                Some(nth) => *nth = nth.saturating_sub(1),
            }
        }
        state.switches.retain(|switch| switch.nth != Some(0));
        met
    }

    fn note(&self, seen: &Seen, request: Request, code: u16) {
        let Request { path, query, body, .. } = request;
        self.state().calls.push(Call { verb: seen.verb, path, query, body, code });
    }

    /// Tells a watch what happens, until its client goes.
    async fn stream(&self, seen: &Seen, mut connection: Connection) {
        let mut version = self.version.subscribe();
        let mut at: u64 = seen.parameter("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
        if connection.begin_stream().await.is_err() {
            return;
        }
        loop {
            version.mark_unchanged();
            if self.state().held {
                tokio::select! {
                    changed = version.changed() => if changed.is_err() { return },
                    () = connection.closed() => return,
                }
                continue;
            }
            let news = self.state().objects.since(seen, at);
            let Ok((events, to)) = news else {
                let event = json!({ "type": "ERROR", "object": status(410, "Expired", "too old resource version") });
                let _ = connection.chunk(&event).await;
                return;
            };
            for event in events {
                if connection.chunk(&event).await.is_err() {
                    return;
                }
            }
            at = to;
            tokio::select! {
                changed = version.changed() => if changed.is_err() { return },
                () = connection.closed() => return,
            }
        }
    }
}

/// Kubernetes' answer to what it does not do.
fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code })
}
