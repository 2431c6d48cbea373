//! The pod template: kept whole as it was written, read through typed views of what one machine needs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `PodTemplateSpec`. The tree is kept as written, so that nothing a cluster knows is lost and its hash is right.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodTemplate(pub Value);

impl JsonSchema for PodTemplate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PodTemplateSpec".into()
    }

    /// What is read of it has a type; everything else is kept and not looked at.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let metadata = generator.subschema_for::<PodMetadata>();
        let spec = generator.subschema_for::<PodSpec>();
        schemars::json_schema!({
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
            "additionalProperties": false,
            "properties": { "metadata": metadata, "spec": spec },
        })
    }
}

/// `metadata` of a pod template, as far as it is read; here for its schema.
#[derive(Default, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = ["annotations", "creationTimestamp", "finalizers", "generateName", "name", "namespace"]))]
#[allow(dead_code, reason = "the schema is derived from the fields")]
struct PodMetadata {
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// `spec` of a pod template, as far as it is read; here for its schema.
#[derive(Default, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = POD_FIELDS))]
#[allow(dead_code, reason = "the schema is derived from the fields")]
struct PodSpec {
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    termination_grace_period_seconds: Option<i64>,
    restart_policy: Option<String>,
    active_deadline_seconds: Option<i64>,
    service_account_name: Option<String>,
    node_selector: Option<BTreeMap<String, String>>,
}

/// Fields of a pod that a cluster knows and that are not read: not to be taken for slips of the hand.
const POD_FIELDS: &[&str] = &[
    "affinity",
    "automountServiceAccountToken",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "ephemeralContainers",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostUsers",
    "hostname",
    "hostnameOverride",
    "imagePullSecrets",
    "nodeName",
    "os",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "resourceClaims",
    "resources",
    "runtimeClassName",
    "schedulerName",
    "schedulingGates",
    "securityContext",
    "serviceAccount",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "subdomain",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
];

/// As [`POD_FIELDS`], of a container.
const CONTAINER_FIELDS: &[&str] = &[
    "imagePullPolicy",
    "lifecycle",
    "resizePolicy",
    "resources",
    "restartPolicy",
    "restartPolicyRules",
    "securityContext",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "volumeDevices",
    "volumeMounts",
];

/// A container as one machine sees it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = CONTAINER_FIELDS))]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image with its tag.
    pub image: String,
    /// Replaces the image's entry point.
    pub command: Vec<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment.
    pub env: Vec<EnvVar>,
    /// Environment from whole objects.
    pub env_from: Vec<EnvFrom>,
    /// Ports.
    pub ports: Vec<ContainerPort>,
    /// Whether it takes requests.
    pub readiness_probe: Option<Probe>,
    /// Whether it must be restarted.
    pub liveness_probe: Option<Probe>,
    /// Whether it has started.
    pub startup_probe: Option<Probe>,
    /// Working directory inside the image; not used on one machine.
    pub working_dir: Option<String>,
}

/// An environment variable.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = [] as [&str; 0]))]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Option<String>,
    /// Where the value is.
    pub value_from: Option<EnvVarSource>,
}

/// Where the value of a variable is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = ["resourceFieldRef", "fileKeyRef"]))]
pub struct EnvVarSource {
    /// A key of a ConfigMap.
    pub config_map_key_ref: Option<KeyRef>,
    /// A key of a Secret.
    pub secret_key_ref: Option<KeyRef>,
    /// A field of the pod.
    pub field_ref: Option<FieldPath>,
}

/// A key of an object.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = [] as [&str; 0]))]
pub struct KeyRef {
    /// Name of the object.
    pub name: String,
    /// The key.
    pub key: String,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A field by its path.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = ["apiVersion"]))]
pub struct FieldPath {
    /// The path.
    pub field_path: String,
}

/// Variables from a whole object.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = [] as [&str; 0]))]
pub struct EnvFrom {
    /// Before every name.
    pub prefix: String,
    /// A ConfigMap.
    pub config_map_ref: Option<KeyRef>,
    /// A Secret.
    pub secret_ref: Option<KeyRef>,
}

/// A port of a container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = ["hostPort", "hostIP", "protocol"]))]
pub struct ContainerPort {
    /// Name.
    pub name: Option<String>,
    /// Number inside the container.
    pub container_port: i64,
}

/// A probe of a container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = ["grpc", "terminationGracePeriodSeconds"]))]
pub struct Probe {
    /// An HTTP request.
    pub http_get: Option<HttpGet>,
    /// A connection.
    pub tcp_socket: Option<TcpSocket>,
    /// A command.
    pub exec: Option<Exec>,
    /// Seconds before the first question; 0 when absent.
    pub initial_delay_seconds: Option<u32>,
    /// Seconds between questions; 10 when absent.
    pub period_seconds: Option<u32>,
    /// Seconds for an answer; 1 when absent.
    pub timeout_seconds: Option<u32>,
    /// Good answers in a row; 1 when absent.
    pub success_threshold: Option<u32>,
    /// Bad answers in a row; 3 when absent.
    pub failure_threshold: Option<u32>,
}

/// `httpGet` of a probe.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-known-fields" = ["host", "scheme"]))]
pub struct HttpGet {
    /// Path.
    pub path: Option<String>,
    /// Port by number or name.
    pub port: Value,
    /// Headers.
    pub http_headers: Vec<HttpHeader>,
}

/// A header of a probe.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-known-fields" = [] as [&str; 0]))]
pub struct HttpHeader {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// `tcpSocket` of a probe.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-known-fields" = ["host"]))]
pub struct TcpSocket {
    /// Port by number or name.
    pub port: Value,
}

/// `exec` of a probe.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-known-fields" = [] as [&str; 0]))]
pub struct Exec {
    /// Program and arguments.
    pub command: Vec<String>,
}

impl PodTemplate {
    /// `metadata.labels`.
    pub fn labels(&self) -> BTreeMap<String, String> {
        strings(&self.0["metadata"]["labels"])
    }

    /// `metadata.annotations`.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        strings(&self.0["metadata"]["annotations"])
    }

    /// The containers, as far as they can be read.
    pub fn containers(&self) -> Vec<Container> {
        let list = self.0["spec"]["containers"].as_array();
        list.into_iter().flatten().filter_map(|c| Container::deserialize(without_nulls(c)).ok()).collect()
    }

    /// `spec.terminationGracePeriodSeconds`, 30 when absent.
    pub fn grace_period_s(&self) -> u64 {
        self.0["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30)
    }

    /// Sets the image of a container; returns whether there is one of that name.
    pub fn set_image(&mut self, container: &str, image: &str) -> bool {
        let list = self.0.get_mut("spec").and_then(|s| s.get_mut("containers")).and_then(Value::as_array_mut);
        let mut found = false;
        for entry in list.into_iter().flatten().filter(|c| c["name"] == container) {
            entry["image"] = Value::from(image);
            found = true;
        }
        found
    }
}

/// The same without fields that are null, which Kubernetes takes for absent.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

fn strings(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
}
