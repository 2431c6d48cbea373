//! The client: objects as JSON, by kind, namespace and name; writes as the adapter renders them.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncReadExt as _, Stream, StreamExt as _};
use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use serin_controller::write::{Target, Verb};
use serin_controller::{Object, Write};

use crate::calls::Calls;
use crate::decode::{self, Place, Pruned};
use crate::error::Error;
use crate::fence::Fence;
use crate::overrides::Overrides;
use crate::resource::Resource;

/// Name under which writes are made, in managed fields and audit logs.
pub const MANAGER: &str = "serin";

/// Objects of one page of a list that is wanted as a whole.
const PAGE: u32 = 500;

/// Which cluster, as whom.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Path of a kubeconfig; else `KUBECONFIG`, else `~/.kube/config`, else the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; else its current one.
    pub context: Option<String>,
    /// The user to impersonate.
    pub impersonate: Option<String>,
    /// What else is said of the connection.
    pub overrides: Overrides,
    /// How long an answer may take; watches are not bound by it.
    pub timeout: Option<Duration>,
    /// Returns an answer that asks to come again later (429, 503, 504) at once, for callers that have a queue of their own.
    /// Otherwise the client waits and asks again.
    pub returns_busy: bool,
}

/// A client of one cluster. Clones share connections.
#[derive(Clone)]
pub struct Client {
    kube: kube::Client,
    timeout: Duration,
    calls: Arc<Calls>,
    /// Until when writes may be made.
    fence: Fence,
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// An object is there, new or changed.
    Applied(Object),
    /// An object has gone; this is how it was last.
    Deleted(Object),
}

impl Client {
    /// Connects to the cluster of these options. No request is made yet.
    ///
    /// # Errors
    /// When there is no usable configuration.
    pub async fn new(options: &Options) -> Result<Self, Error> {
        // Whoever was first has set one; all of ours are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let overrides = &options.overrides;
        let asked = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
        let asked = overrides.choose(asked);
        let why = |error: &dyn std::error::Error| Error::Configure(chain(error));
        let mut config = match &options.kubeconfig {
            Some(path) => {
                let read = Kubeconfig::read_from(path).map_err(|e| why(&e))?;
                kube::Config::from_custom_kubeconfig(read, &asked).await.map_err(|e| why(&e))?
            }
            None if options.context.is_some() || overrides.needs_kubeconfig() => {
                kube::Config::from_kubeconfig(&asked).await.map_err(|e| why(&e))?
            }
            None => match overrides.without_kubeconfig() {
                Some(config) => config?,
                None => kube::Config::infer().await.map_err(|e| why(&e))?,
            },
        };
        overrides.apply(&mut config)?;
        if options.impersonate.is_some() {
            config.auth_info.impersonate.clone_from(&options.impersonate);
        }
        // A watch may be silent for minutes; its server ends it before this.
        config.read_timeout = Some(Duration::from_mins(7));
        config.default_retry = !options.returns_busy;
        let kube = kube::Client::try_from(config).map_err(|e| why(&e))?;
        let timeout = options.timeout.unwrap_or(Duration::from_secs(30));
        Ok(Self { kube, timeout, calls: Arc::default(), fence: Fence::default() })
    }

    /// The same client, whose writes are bound by a fence.
    pub(crate) fn fenced(&self, fence: Fence) -> Self {
        Self { fence, ..self.clone() }
    }

    /// The namespace of the context.
    pub fn namespace(&self) -> &str {
        self.kube.default_namespace()
    }

    /// Requests so far, by kind, verb and status.
    pub fn calls(&self) -> &Arc<Calls> {
        &self.calls
    }

    /// One object, `None` if it (or its kind) is not there.
    ///
    /// # Errors
    /// When the server says no or is not reached.
    pub async fn get(&self, resource: Resource, namespace: &str, name: &str) -> Result<Option<Object>, Error> {
        let target = resource.target(namespace, name);
        let request = Request::get(resource.object(namespace, name)).body(Vec::new());
        match self.ask("get", &target, request).await {
            Ok(found) => Ok(Some(Object(found))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The objects of a kind, in one namespace or all, that carry these labels (a label selector, or empty).
    ///
    /// # Errors
    /// When the server says no or is not reached; a kind that is not there is an error, too.
    pub async fn list(&self, resource: Resource, namespace: Option<&str>, labels: &str) -> Result<Vec<Object>, Error> {
        Ok(self.listed(resource, namespace, labels).await?.0)
    }

    /// The same, with the version to watch from.
    ///
    /// # Errors
    /// As [`Client::list`].
    pub async fn listed(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<(Vec<Object>, String), Error> {
        let mut objects = Vec::new();
        let mut at = String::new();
        loop {
            let place =
                self.page(resource, (namespace, labels), (PAGE, &at), &mut |object| objects.push(object)).await?;
            if place.next.is_empty() {
                return Ok((objects, place.version));
            }
            at = place.next;
        }
    }

    /// One page of a list, of this many objects at most, from the place that the page before named (the first one is empty). Each
    /// object is handed on before the next one is read.
    ///
    /// # Errors
    /// As [`Client::list`]. Code 410: the server has forgotten the place, and only a new list helps.
    pub(crate) async fn page(
        &self,
        resource: Resource,
        (namespace, labels): (Option<&str>, &str),
        (limit, from): (u32, &str),
        each: &mut (dyn FnMut(Object) + Send),
    ) -> Result<Place, Error> {
        let mut query = format!("limit={limit}");
        if !labels.is_empty() {
            query += &format!("&labelSelector={}", escaped(labels));
        }
        if !from.is_empty() {
            query += &format!("&continue={}", escaped(from));
        }
        let request = Request::get(format!("{}?{query}", resource.path(namespace))).body(Vec::new());
        let target = resource.target(namespace.unwrap_or_default(), "");
        let text = self.ask_text("list", &target, request).await?;
        let read = decode::page(&text, &mut |item| each(whole(item, resource)));
        read.map_err(|e| wrong("list", &target, kube::Error::SerdeError(e)))
    }

    /// What happens to the objects of a kind from a version on. The server ends it after a while.
    ///
    /// # Errors
    /// When it cannot begin; its end with an error is its last item. Code 410 asks for a new list.
    pub async fn watch(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        labels: &str,
        from: &str,
    ) -> Result<impl Stream<Item = Result<(Option<Told>, String), Error>> + use<>, Error> {
        let mut query = format!("watch=true&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion={from}");
        if !labels.is_empty() {
            query += &format!("&labelSelector={}", escaped(labels));
        }
        let target = resource.target(namespace.unwrap_or_default(), "");
        let request = Request::get(format!("{}?{query}", resource.path(namespace)))
            .body(Vec::new())
            .map_err(|e| Error::Configure(e.to_string()))?;
        let begun = tokio::time::timeout(self.timeout, self.kube.request_events::<Pruned>(request)).await;
        let begun =
            begun.map_err(|_| slow("watch", &target)).and_then(|begun| begun.map_err(|e| wrong("watch", &target, e)));
        self.calls.count(&target, "watch", begun.as_ref().err().map_or(200, Error::code));
        let stream = begun?;
        Ok(stream.map(move |event| {
            use kube::core::WatchEvent;
            let version =
                |object: &Object| object.0["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
            let event = event.map_err(|e| wrong("watch", &target, e))?;
            Ok(match event {
                WatchEvent::Added(Pruned(object)) | WatchEvent::Modified(Pruned(object)) => {
                    let object = whole(object, resource);
                    let at = version(&object);
                    (Some(Told::Applied(object)), at)
                }
                WatchEvent::Deleted(Pruned(object)) => {
                    let object = whole(object, resource);
                    let at = version(&object);
                    (Some(Told::Deleted(object)), at)
                }
                WatchEvent::Bookmark(mark) => (None, mark.metadata.resource_version),
                WatchEvent::Error(status) => return Err(wrong("watch", &target, kube::Error::Api(status))),
            })
        }))
    }

    /// Sends a write and returns the object as it is then; `None` after a deletion. An object that is gone already is no error
    /// where the write says so.
    ///
    /// # Errors
    /// When the server says no or is not reached.
    pub async fn send(&self, write: &Write) -> Result<Option<Object>, Error> {
        let Target { api_version, kind, namespace, name } = &write.target;
        if kind == "Eviction" {
            return self.evict(write, namespace, name).await;
        }
        let resource = Resource::find(api_version, kind)
            .ok_or_else(|| Error::Kind { api_version: api_version.clone(), kind: kind.clone() })?;
        let object = resource.object(namespace, name);
        let (verb, request) = match &write.verb {
            Verb::Create(body) => ("create", with("POST", resource.path(Some(namespace)), JSON, body)),
            Verb::Update(body) => ("update", with("PUT", object, JSON, body)),
            Verb::MergePatch(patch) => ("patch", with("PATCH", object, MERGE, patch)),
            Verb::StatusPatch(patch) => ("patch", with("PATCH", format!("{object}/status"), MERGE, patch)),
            Verb::StrategicPatch(patch) => ("patch", with("PATCH", object, STRATEGIC, patch)),
            Verb::JsonPatch(patch) => ("patch", with("PATCH", object, JSON_PATCH, patch)),
            Verb::Delete { foreground } => {
                let policy = if *foreground { "Foreground" } else { "Background" };
                ("delete", with("DELETE", object, JSON, &json!({ "propagationPolicy": policy })))
            }
        };
        let answer = self.ask(verb, &write.target, request).await?;
        let deleted = matches!(write.verb, Verb::Delete { .. });
        Ok((!deleted).then(|| whole(answer, resource)))
    }

    async fn evict(&self, write: &Write, namespace: &str, pod: &str) -> Result<Option<Object>, Error> {
        let Verb::Create(body) = &write.verb else {
            return Err(Error::Kind { api_version: write.target.api_version.clone(), kind: "Eviction".to_owned() });
        };
        let path = format!("{}/eviction", crate::resource::POD.object(namespace, pod));
        self.ask("create", &write.target, with("POST", path, JSON, body)).await?;
        Ok(None)
    }

    /// Makes an object as it is given here, field by field, whoever made it before (server-side apply).
    ///
    /// # Errors
    /// When the server says no or is not reached, or, without `force`, when somebody else holds one of the fields.
    pub async fn apply(&self, object: &Object, force: bool, dry_run: bool) -> Result<Object, Error> {
        let target = Target::of(object);
        let resource = Resource::find(&target.api_version, &target.kind)
            .ok_or_else(|| Error::Kind { api_version: target.api_version.clone(), kind: target.kind.clone() })?;
        let mut path = format!("{}?fieldManager={MANAGER}", resource.object(&target.namespace, &target.name));
        if force {
            path += "&force=true";
        }
        if dry_run {
            path += "&dryRun=All";
        }
        let answer = self.ask("apply", &target, with("PATCH", path, APPLY, &object.0)).await?;
        Ok(whole(answer, resource))
    }

    /// The text behind a path, such as a pod's log.
    ///
    /// # Errors
    /// When the server says no or is not reached.
    pub async fn text(&self, path: &str, target: &Target) -> Result<String, Error> {
        let request = Request::get(path).body(Vec::new()).map_err(|e| Error::Configure(e.to_string()))?;
        let answer = tokio::time::timeout(self.timeout, self.kube.request_text(request)).await;
        let answer = answer.map_err(|_| slow("get", target)).and_then(|a| a.map_err(|e| wrong("get", target, e)));
        self.calls.count(target, "get", answer.as_ref().err().map_or(200, Error::code));
        answer
    }

    /// Sends a request, counts it, and reads the answer, managed fields left out.
    async fn ask(
        &self,
        verb: &'static str,
        target: &Target,
        request: http::Result<Request<Vec<u8>>>,
    ) -> Result<Value, Error> {
        let text = self.ask_text(verb, target, request).await?;
        let read = serde_json::from_slice(&text).map(|Pruned(answer)| answer);
        read.map_err(|e| wrong(verb, target, kube::Error::SerdeError(e)))
    }

    /// Sends a request and counts it.
    async fn ask_text(
        &self,
        verb: &'static str,
        target: &Target,
        request: http::Result<Request<Vec<u8>>>,
    ) -> Result<Vec<u8>, Error> {
        let request = request.map_err(|e| Error::Configure(e.to_string()))?;
        let writes = !matches!(verb, "get" | "list");
        let limit = match self.fence.left(self.timeout).filter(|_| writes) {
            Some(limit) => limit,
            None if writes => return Err(fenced(verb, target)),
            None => self.timeout,
        };
        let answer = tokio::time::timeout(limit, self.answer(request)).await;
        let answer = answer.map_err(|_| slow(verb, target)).and_then(|a| a.map_err(|e| wrong(verb, target, e)));
        self.calls.count(target, verb, answer.as_ref().err().map_or(200, Error::code));
        answer
    }

    /// The whole body of an answer, without the copies that a text would take.
    async fn answer(&self, request: Request<Vec<u8>>) -> Result<Vec<u8>, kube::Error> {
        let mut body = pin!(self.kube.request_stream(request).await?);
        let mut text = Vec::new();
        body.read_to_end(&mut text).await.map_err(kube::Error::ReadEvents)?;
        Ok(text)
    }
}

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn with(method: &str, path: String, kind: &str, body: &Value) -> http::Result<Request<Vec<u8>>> {
    let path = match (method, path.contains('?')) {
        ("DELETE", _) | (_, true) => path,
        (_, false) => format!("{path}?fieldManager={MANAGER}"),
    };
    let body = serde_json::to_vec(body).unwrap_or_default();
    Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, kind).body(body)
}

/// Items of lists carry neither version nor kind.
fn whole(mut object: Value, resource: Resource) -> Object {
    if let Value::Object(fields) = &mut object {
        fields.entry("apiVersion").or_insert_with(|| resource.api_version.into());
        fields.entry("kind").or_insert_with(|| resource.kind.into());
    }
    Object(object)
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn named(target: &Target) -> String {
    let Target { kind, namespace, name, .. } = target;
    match (namespace.is_empty(), name.is_empty()) {
        (true, _) => format!("{kind} {name}").trim_end().to_owned(),
        (false, true) => format!("{kind} of namespace {namespace}"),
        (false, false) => format!("{kind} {namespace}/{name}"),
    }
}

fn slow(verb: &'static str, target: &Target) -> Error {
    Error::Reach { verb, what: named(target), why: "no answer in time".to_owned() }
}

fn fenced(verb: &'static str, target: &Target) -> Error {
    Error::Reach { verb, what: named(target), why: "this controller does not hold the lease any more".to_owned() }
}

fn wrong(verb: &'static str, target: &Target, error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => {
            Error::Api { verb, what: named(target), code: status.code, reason: status.reason, message: status.message }
        }
        other => Error::Reach { verb, what: named(target), why: chain(&other) },
    }
}

/// An error with what is behind it; kube's own texts leave the cause to its source.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
