//! What the controller is allowed to do: one table, from which roles, chart and documentation are made. A line is there because
//! something is done that needs it; a test on what is written, and one on a cluster, hold the table to that.

use serde_json::{Value, json};

use crate::write::{Verb, Write};

/// Where a permission holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the namespaces whose rollouts are driven: all of them, or the one.
    Watched,
    /// In the whole cluster, for kinds without a namespace; nowhere with one namespace.
    Cluster,
    /// In the namespace that the controller runs in.
    Home,
    /// In the namespace that the controller runs in, on the lock alone.
    Lock,
    /// In the one namespace, or in those that are named.
    Secrets,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Permission {
    /// Where.
    pub reach: Reach,
    /// API group, empty for the core.
    pub group: &'static str,
    /// Resources and subresources.
    pub resources: &'static [&'static str],
    /// Verbs.
    pub verbs: &'static [&'static str],
    /// What for.
    pub why: &'static str,
}

const fn watched(
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    why: &'static str,
) -> Permission {
    Permission { reach: Reach::Watched, group, resources, verbs, why }
}

const ARGO: &str = "argoproj.io";

/// Everything that the controller is allowed to do.
pub const TABLE: [Permission; 21] = [
    watched(ARGO, &["rollouts"], &["get", "list", "watch", "patch"], "driven; the revision is noted on them"),
    watched(ARGO, &["rollouts/status"], &["patch"], "their status is the memory of what was decided"),
    watched(
        ARGO,
        &["rollouts/finalizers", "experiments/finalizers", "analysisruns/finalizers"],
        &["update"],
        "owned objects that keep their owner until they are gone, where the server checks who may say so",
    ),
    watched(
        ARGO,
        &["analysisruns"],
        &["get", "list", "watch", "create", "patch", "delete"],
        "made by rollouts and experiments, carried out, ended, and removed with their history",
    ),
    watched(
        ARGO,
        &["experiments"],
        &["list", "watch", "create", "patch", "delete"],
        "made by rollouts, carried out, ended, and removed with their history",
    ),
    watched(ARGO, &["analysistemplates"], &["list", "watch"], "what analyses measure"),
    watched(
        "apps",
        &["replicasets"],
        &["get", "list", "watch", "create", "update", "patch", "delete"],
        "the versions: made, scaled, taken over, and removed with their history",
    ),
    watched(
        "apps",
        &["deployments"],
        &["list", "watch", "patch"],
        "workloadRef: the template, and the way down to zero",
    ),
    watched("", &["podtemplates"], &["list", "watch"], "workloadRef: the template"),
    watched(
        "",
        &["services"],
        &["list", "watch", "create", "patch", "delete"],
        "selectors of versions; the services of experiments",
    ),
    watched("", &["pods"], &["list", "patch"], "restarts look at them; metadata by role is put on them"),
    watched("", &["pods/eviction"], &["create"], "restarts, which disruption budgets may refuse"),
    watched("", &["pods/log"], &["get"], "the last lines of a Job that failed, in the measurement's message"),
    watched("", &["events"], &["create"], "what happened"),
    watched("batch", &["jobs"], &["get", "list", "watch", "create", "delete"], "the job provider of analyses"),
    watched(
        "networking.k8s.io",
        &["ingresses"],
        &["list", "watch", "create", "patch"],
        "nginx: the canary's ingress beside the stable one",
    ),
    watched(
        "gateway.networking.k8s.io",
        &["httproutes", "grpcroutes"],
        &["list", "watch", "patch"],
        "Gateway API: weights, header matches and mirrors in the routes' rules",
    ),
    Permission {
        reach: Reach::Cluster,
        group: ARGO,
        resources: &["clusteranalysistemplates"],
        verbs: &["list", "watch"],
        why: "what analyses of all namespaces measure",
    },
    Permission {
        reach: Reach::Secrets,
        group: "",
        resources: &["secrets"],
        verbs: &["get"],
        why: "arguments of analyses with a secretKeyRef; by name, never a list",
    },
    Permission {
        reach: Reach::Home,
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["create"],
        why: "the lock of the leader, the first time",
    },
    Permission {
        reach: Reach::Lock,
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["get", "update"],
        why: "the lock of the leader, from then on",
    },
];

impl Permission {
    /// The rule of a role; `lock` is the one name that permissions on the lock are for.
    pub fn rule(&self, lock: &str) -> Value {
        let mut rule = json!({ "apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs });
        if self.reach == Reach::Lock {
            rule["resourceNames"] = json!([lock]);
        }
        rule
    }

    fn holds(&self, group: &str, resource: &str, verb: &str) -> bool {
        self.group == group && self.resources.contains(&resource) && self.verbs.contains(&verb)
    }
}

/// The line of the table that allows a write.
pub fn of(write: &Write) -> Option<&'static Permission> {
    let (group, resource, verb) = asked(write);
    TABLE.iter().find(|permission| permission.holds(group, &resource, verb))
}

/// Group, resource and verb, as an API server asks for them when it is sent this write.
pub fn asked(write: &Write) -> (&str, String, &'static str) {
    let group = write.target.api_version.split_once('/').map_or("", |(group, _)| group);
    if write.target.kind == "Eviction" {
        return ("", "pods/eviction".to_owned(), "create");
    }
    let (sub, verb) = match write.verb {
        Verb::Create(_) => ("", "create"),
        Verb::Update(_) => ("", "update"),
        Verb::MergePatch(_) | Verb::StrategicPatch(_) | Verb::JsonPatch(_) => ("", "patch"),
        Verb::StatusPatch(_) => ("/status", "patch"),
        Verb::Delete { .. } => ("", "delete"),
    };
    (group, format!("{}{sub}", plural(&write.target.kind)), verb)
}

/// The resource of a kind. Kubernetes' own names follow these two rules wherever we write.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    if kind.ends_with("ss") { kind + "es" } else { kind + "s" }
}
