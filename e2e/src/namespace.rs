//! A namespace of one test: what is in it, and what to show when something does not come about.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::cluster::{Cluster, Output, succeeded};
use crate::controller::{Controller, tail};
use crate::wait::poll;

/// A namespace that is deleted with everything in it when it is dropped, unless `SERIN_E2E_KEEP` is set.
#[derive(Debug)]
pub struct Namespace {
    cluster: Cluster,
    name: String,
    /// The logs of controllers that were started for it.
    logs: Mutex<Vec<PathBuf>>,
    /// Held while the namespace is used, when others want one of the same name.
    _lock: Option<File>,
}

impl Namespace {
    pub(crate) fn create(cluster: &Cluster, name: &str, lock: Option<File>) -> Self {
        cluster.kubectl(&["create", "namespace", name]);
        Self { cluster: cluster.clone(), name: name.to_owned(), logs: Mutex::default(), _lock: lock }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs kubectl in this namespace.
    ///
    /// # Panics
    /// When it fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        succeeded(arguments, self.try_kubectl(arguments, ""))
    }

    /// Runs kubectl in this namespace with something to read, and returns how it went.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Output {
        self.cluster.try_kubectl(&[&["--namespace", &self.name], arguments].concat(), input)
    }

    /// Applies manifests that name no namespace, or this one.
    ///
    /// # Panics
    /// When they are refused.
    pub fn apply(&self, manifests: &str) {
        let arguments = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        succeeded(&arguments, self.try_kubectl(&arguments, manifests));
    }

    /// Applies a file or folder of the repository.
    ///
    /// # Panics
    /// When it is refused.
    pub fn apply_path(&self, path: &str) {
        let path = Cluster::root().join(path).display().to_string();
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &path]);
    }

    /// An object; none when there is none.
    ///
    /// # Panics
    /// When the API server gives another answer.
    pub fn object(&self, kind: &str, name: &str) -> Option<Value> {
        self.cluster.object(kind, name, &["--namespace", &self.name])
    }

    /// All objects of a kind that have the labels, a selector such as `app=x`; all of them for an empty one.
    ///
    /// # Panics
    /// When the API server gives another answer.
    pub fn objects(&self, kind: &str, labels: &str) -> Vec<Value> {
        let text = self.kubectl(&["get", kind, "--selector", labels, "-o", "json"]);
        let mut list: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{kind}: {e}: {text}"));
        match list["items"].take() {
            Value::Array(items) => items,
            other => panic!("{kind} is no list: {other}"),
        }
    }

    /// Waits until an object is as wanted, and returns it. `wanted` sees `null` while there is none.
    ///
    /// # Panics
    /// When it is not within the bound: with the object as it was last, the events and the ends of the controllers' logs.
    pub fn wait_for(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        bound: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let found = self.poll(bound, || {
            let object = self.object(kind, name).unwrap_or(Value::Null);
            if wanted(&object) { Ok(object) } else { Err(pretty(object)) }
        });
        found.unwrap_or_else(|last| panic!("{kind} {name}: not {what} within {} s\n{last}", bound.as_secs()))
    }

    /// Waits for anything else. The error of `attempt` is what to show of its last time.
    ///
    /// # Panics
    /// As [`Namespace::wait_for`] does.
    pub fn wait_until<T>(&self, what: &str, bound: Duration, attempt: impl FnMut() -> Result<T, String>) -> T {
        self.poll(bound, attempt).unwrap_or_else(|last| panic!("{what}: not within {} s\n{last}", bound.as_secs()))
    }

    fn poll<T>(&self, bound: Duration, attempt: impl FnMut() -> Result<T, String>) -> Result<T, String> {
        poll(bound, attempt).map_err(|last| format!("last seen:\n{last}\n{}", self.circumstances()))
    }

    /// Starts a controller that cares for this namespace only, since tests run side by side.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn controller(&self, arguments: &[&str]) -> Controller {
        let arguments = [&["--namespaced", "--namespace", &self.name], arguments].concat();
        self.controller_with(&self.cluster.kubeconfig("controller"), &arguments, &[])
    }

    /// Starts a controller with a kubeconfig, arguments and environment of its own; its log is shown with this namespace's trouble.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn controller_with(
        &self,
        kubeconfig: &std::path::Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Controller {
        let number = self.logs().len();
        let log = self.cluster.dir().join("log").join(format!("controller-{}-{number}.log", self.name));
        self.logs().push(log.clone());
        Controller::start(kubeconfig, log, arguments, environment)
    }

    fn logs(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        // Whole at any time, whatever panicked beside it.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events and logs: why something may not have come about.
    fn circumstances(&self) -> String {
        let events = self.try_kubectl(&["get", "events", "--sort-by=.lastTimestamp"], "");
        let pods = self.try_kubectl(&["get", "pods", "-o", "wide", "--show-labels"], "");
        let logs: String = self.logs().iter().map(|log| format!("{}:\n{}\n", log.display(), tail(log))).collect();
        format!("pods:\n{}{}\nevents:\n{}{}\n{logs}", pods.stdout, pods.stderr, events.stdout, events.stderr)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::env::var_os("SERIN_E2E_KEEP").is_none() {
            // Not waited for, and not judged: the test has its outcome.
            let _ = self.cluster.try_kubectl(&["delete", "namespace", &self.name, "--wait=false"], "");
        }
    }
}

fn pretty(mut object: Value) -> String {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    serde_json::to_string_pretty(&object).unwrap_or_default()
}
