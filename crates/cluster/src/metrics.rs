//! The page of `/metrics`: Argo's series under Argo's names, and the controller's own.

mod objects;
mod page;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::calls::Call;
use crate::error::Class;
use crate::evidence::Health;
use crate::pass::Key;
use crate::queue::Queue;
use crate::resource::Resource;
use crate::store::{Name, Store};
use crate::tally::Tally;
use page::Page;

/// What the page tells of.
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a Store,
    pub(crate) queues: &'a [&'a Queue<Key>],
    pub(crate) tally: &'a Tally,
    /// How writing logs of evidence goes, where they are written.
    pub(crate) evidence: Option<&'a Health>,
    pub(crate) calls: &'a BTreeMap<Call, u64>,
    /// Kinds whose watch fails.
    pub(crate) failing: &'a BTreeSet<Resource>,
    pub(crate) leads: bool,
    pub(crate) version: &'a str,
}

/// Kinds of passes, with the names of Argo's queues for them.
const QUEUES: [(&str, &str); 4] =
    [("Rollout", "Rollouts"), ("Experiment", "Experiments"), ("AnalysisRun", "AnalysisRuns"), ("Service", "Services")];

/// Kinds of passes, with the names of Argo's series about them.
const PASSES: [(&str, &str); 3] =
    [("Rollout", "rollout"), ("AnalysisRun", "analysis_run"), ("Experiment", "experiment")];

/// Writes the page.
pub(crate) fn page(scene: &Scene<'_>) -> String {
    let mut page = Page::default();
    objects::write(&mut page, scene.store);
    passes(&mut page, scene.tally);
    events(&mut page, scene.tally);
    courses(&mut page, scene.tally);
    requests(&mut page, scene.calls);
    queues(&mut page, scene);
    versions(&mut page, scene.version);
    own(&mut page, scene);
    page.into_text()
}

/// How long looks at objects took, and how often they failed.
fn passes(page: &mut Page, tally: &Tally) {
    let passes = tally.passes.borrow();
    for (kind, prefix) in PASSES {
        let of_kind = || passes.iter().filter(move |(key, _)| key.kind() == kind);
        let family = format!("{prefix}_reconcile");
        page.family(&family, "histogram", "How long looks at the object took, seconds.");
        for (key, passes) in of_kind() {
            page.histogram(&family, &named(key.name()), &passes.durations);
        }
        let family = format!("{prefix}_reconcile_error");
        page.family(&family, "counter", "How many of them failed.");
        for (key, passes) in of_kind().filter(|(_, passes)| passes.errors > 0) {
            page.sample(&family, &named(key.name()), count(passes.errors));
        }
    }
}

fn named(name: &Name) -> [(&str, &str); 2] {
    [("namespace", &name.namespace), ("name", &name.name)]
}

#[expect(clippy::cast_precision_loss, reason = "a series is a float, and nothing here is counted to 2^53")]
const fn count(count: u64) -> f64 {
    count as f64
}

fn size(count: usize) -> f64 {
    self::count(u64::try_from(count).unwrap_or(u64::MAX))
}

//= compat: 9.4-5
fn events(page: &mut Page, tally: &Tally) {
    page.family("rollout_events_total", "counter", "Events of rollouts.");
    for ((name, kind, reason), times) in &*tally.events.borrow() {
        let [namespace, name] = named(name);
        page.sample("rollout_events_total", &[namespace, name, ("type", kind), ("reason", reason)], count(*times));
    }
}

//= compat: 9.3-1
fn courses(page: &mut Page, tally: &Tally) {
    let courses = tally.courses.borrow();
    page.family("rollout_duration_seconds", "histogram", "From the begin of an update to its end.");
    for (status, course) in &courses.ended {
        page.histogram("rollout_duration_seconds", &[("status", status)], &course.whole);
    }
    let help = "The same without pauses that somebody has to end.";
    page.family("rollout_progression_duration_seconds", "histogram", help);
    for (status, course) in &courses.ended {
        page.histogram("rollout_progression_duration_seconds", &[("status", status)], &course.progression);
    }
    let help = "Pauses of an update that somebody had to end, together.";
    page.family("rollout_manual_pause_duration_seconds", "histogram", help);
    for (status, course) in &courses.ended {
        page.histogram("rollout_manual_pause_duration_seconds", &[("status", status)], &course.pause);
    }
}

fn requests(page: &mut Page, calls: &BTreeMap<Call, u64>) {
    const FAMILY: &str = "controller_clientset_k8s_request_total";
    page.family(FAMILY, "counter", "Requests to the API server.");
    for (Call { kind, namespace, name, verb, code }, times) in calls {
        // Argo's words begin with a capital, and know no apply.
        let verb = match *verb {
            "get" => "Get",
            "list" => "List",
            "watch" => "Watch",
            "create" => "Create",
            "update" => "Update",
            "delete" => "Delete",
            _ => "Patch",
        };
        let code = code.to_string();
        let object = [("kind", kind.as_str()), ("namespace", namespace), ("name", name)];
        let [kind, namespace, name] = object;
        page.sample(FAMILY, &[kind, namespace, name, ("verb", verb), ("status_code", &code)], count(*times));
    }
}

fn queues(page: &mut Page, scene: &Scene<'_>) {
    type Number = (&'static str, &'static str, &'static str, fn(&Queue<Key>, &str) -> f64);
    let numbers: [Number; 3] = [
        ("workqueue_depth", "gauge", "Objects that are due.", |queue, kind| size(queue.waiting(kind))),
        ("workqueue_adds_total", "counter", "How often an object became due.", |queue, kind| {
            count(queue.counts(kind).added)
        }),
        ("workqueue_retries_total", "counter", "How often an object was tried again.", |queue, kind| {
            count(queue.counts(kind).retried)
        }),
    ];
    for (family, of, help, number) in numbers {
        page.family(family, of, help);
        for (kind, name) in QUEUES {
            page.sample(family, &[("name", name)], scene.queues.iter().map(|queue| number(queue, kind)).sum());
        }
    }
    page.family("workqueue_work_duration_seconds", "histogram", "How long looks at objects took.");
    let kinds = scene.tally.kinds.borrow();
    for (kind, name) in QUEUES {
        if let Some(durations) = kinds.get(kind) {
            page.histogram("workqueue_work_duration_seconds", &[("name", name)], durations);
        }
    }
}

fn versions(page: &mut Page, version: &str) {
    page.family("argo_rollouts_controller_info", "gauge", "The controller that runs.");
    page.sample("argo_rollouts_controller_info", &[("version", version)], 1.0);
    page.family("build_info", "gauge", "The program that runs.");
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    page.sample("build_info", &[("version", version), ("goversion", ""), ("goarch", machine), ("commit", "")], 1.0);
}

/// What only this controller tells.
fn own(page: &mut Page, scene: &Scene<'_>) {
    page.family("serin_leader", "gauge", "Whether this process holds the lease.");
    page.sample("serin_leader", &[], f64::from(u8::from(scene.leads)));
    page.family("serin_decision_duration_seconds", "histogram", "How long decisions took, without reads and writes.");
    page.histogram("serin_decision_duration_seconds", &[], &scene.tally.decisions.borrow());
    page.family("serin_pass_errors_total", "counter", "Looks at objects that failed, by what follows from it.");
    let errors = scene.tally.errors.borrow();
    for class in [Class::Retry, Class::Conflict, Class::User, Class::Bug] {
        let times = errors.get(&class).copied().unwrap_or(0);
        page.sample("serin_pass_errors_total", &[("class", class.as_str())], count(times));
    }
    page.family("serin_panics_total", "counter", "Looks at objects that ended in a fault of the controller.");
    page.sample("serin_panics_total", &[], count(scene.tally.panics.get()));
    page.family("serin_passes_running", "gauge", "Looks at objects that are under way.");
    for (kind, name) in QUEUES {
        let running = scene.queues.iter().map(|queue| queue.running(kind)).sum();
        page.sample("serin_passes_running", &[("name", name)], size(running));
    }
    page.family("serin_api_requests_total", "counter", "Requests to the API server, by verb and status.");
    let mut verbs: BTreeMap<(&str, u16), u64> = BTreeMap::new();
    for (call, times) in scene.calls {
        *verbs.entry((call.verb, call.code)).or_default() += times;
    }
    for ((verb, code), times) in verbs {
        page.sample("serin_api_requests_total", &[("verb", verb), ("code", &code.to_string())], count(times));
    }
    page.family("serin_watch_up", "gauge", "Whether the watch of a kind works.");
    for (resource, ..) in scene.store.sizes() {
        let works = !scene.failing.contains(&resource);
        page.sample("serin_watch_up", &[("kind", resource.plural)], f64::from(u8::from(works)));
    }
    if let Some(health) = scene.evidence {
        page.family("serin_evidence_log_up", "gauge", "Whether what is judged is logged.");
        page.sample("serin_evidence_log_up", &[], f64::from(u8::from(health.is_well())));
        page.family("serin_evidence_log_failures_total", "counter", "What could not be logged.");
        page.sample("serin_evidence_log_failures_total", &[], count(health.failures()));
    }
    page.family("serin_store_objects", "gauge", "Objects that are known.");
    for (resource, objects, _) in scene.store.sizes() {
        page.sample("serin_store_objects", &[("kind", resource.plural)], size(objects));
    }
    page.family("serin_store_bytes", "gauge", "Bytes of their texts.");
    for (resource, _, bytes) in scene.store.sizes() {
        page.sample("serin_store_bytes", &[("kind", resource.plural)], size(bytes));
    }
}
