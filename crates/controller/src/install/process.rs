//! The controller's processes: the Deployment, what keeps it running through maintenance, and the way to its metrics.

use serde_json::{Value, json};

use super::{EVIDENCE, EvidenceLog, GROUP, HEALTH_PORT, METRICS_PORT, NAME, Options, PART_OF, Scope, object, with};
use crate::object::Object;

/// Deployment, disruption budget and metrics service.
pub(super) fn objects(options: &Options) -> Vec<Object> {
    let home = Some(options.home.as_str());
    // One may always go, so that a single process never holds up the maintenance of its node.
    let budget = json!({ "spec": { "maxUnavailable": 1, "selector": { "matchLabels": selector(options) } } });
    let metrics = json!({
        "spec": {
            "selector": selector(options),
            "ports": [{ "name": "metrics", "port": METRICS_PORT, "targetPort": "metrics", "protocol": "TCP" }],
        },
    });
    let name = options.name();
    vec![
        with(object("apps/v1", "Deployment", home, &name), json!({ "spec": deployment(options) })),
        with(object("policy/v1", "PodDisruptionBudget", home, &name), budget),
        with(object("v1", "Service", home, &format!("{name}-metrics")), metrics),
    ]
}

fn selector(options: &Options) -> Value {
    json!({ "app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": options.name() })
}

/// The words behind the program's name.
fn arguments(options: &Options) -> Vec<String> {
    let mut arguments = vec!["controller".to_owned()];
    if let Scope::Namespace(namespace) = &options.scope {
        arguments.push("--namespaced".to_owned());
        // Its own namespace needs no name, so a base can be put into any.
        if *namespace != options.home {
            arguments.push(format!("--namespace={namespace}"));
        }
    }
    if !options.instance.is_empty() {
        arguments.push(format!("--instance-id={}", options.instance));
    }
    if let Some(log) = &options.evidence {
        arguments.push(format!("--evidence-log={EVIDENCE}"));
        if log.max_mib != EvidenceLog::MAX_MIB {
            arguments.push(format!("--evidence-log-max={}", log.max_mib));
        }
    }
    arguments
}

fn deployment(options: &Options) -> Value {
    let mut labels = selector(options);
    labels[PART_OF] = NAME.into();
    json!({
        "replicas": options.replicas,
        "selector": { "matchLabels": selector(options) },
        "template": {
            "metadata": {
                "labels": labels,
                "annotations": {
                    "prometheus.io/scrape": "true",
                    "prometheus.io/port": METRICS_PORT.to_string(),
                },
            },
            "spec": pod(options),
        },
    })
}

fn pod(options: &Options) -> Value {
    let mut pod = json!({
        "serviceAccountName": options.name(),
        "automountServiceAccountToken": true,
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        // The next leader is elsewhere when a node is lost, where there is an elsewhere.
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": { "matchLabels": selector(options) },
        }],
        "containers": [container(options)],
    });
    if let Some(log) = &options.evidence {
        pod["volumes"] = json!([evidence(log)]);
        pod["containers"][0]["volumeMounts"] = json!([{ "name": "evidence", "mountPath": EVIDENCE }]);
    }
    if options.evidence.as_ref().is_some_and(|log| log.claim.is_some()) {
        pod["securityContext"]["fsGroup"] = GROUP.into();
        pod["securityContext"]["fsGroupChangePolicy"] = "OnRootMismatch".into();
    }
    pod
}

/// The volume of the logs. A kubelet evicts a pod that takes more than it may, so the volume has some room above what the controller keeps to.
fn evidence(log: &EvidenceLog) -> Value {
    match &log.claim {
        Some(claim) => json!({ "name": "evidence", "persistentVolumeClaim": { "claimName": claim } }),
        None => {
            let limit = format!("{}Mi", log.max_mib + log.max_mib / 4 + 64);
            json!({ "name": "evidence", "emptyDir": { "sizeLimit": limit } })
        }
    }
}

fn container(options: &Options) -> Value {
    json!({
        "name": NAME,
        "image": options.image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments(options),
        // The lock is kept where the controller runs, whatever namespace it drives.
        "env": [{ "name": "POD_NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } }],
        "ports": [
            { "name": "healthz", "containerPort": HEALTH_PORT, "protocol": "TCP" },
            { "name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP" },
        ],
        "livenessProbe": probe("/healthz", 10),
        "readinessProbe": probe("/readyz", 5),
        // Small, because it is: memory is bound so that a fault cannot take the node along, processor time is not, because a
        // throttled leader loses its lock.
        "resources": {
            "requests": { "cpu": "50m", "memory": "64Mi" },
            "limits": { "memory": "256Mi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
    })
}

fn probe(path: &str, period_s: u32) -> Value {
    json!({ "httpGet": { "path": path, "port": "healthz" }, "periodSeconds": period_s, "failureThreshold": 3 })
}
