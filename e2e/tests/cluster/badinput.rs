//! What is wrong with an object, or with what stands around it: it says so where its user looks, nothing beside it is
//! affected, and mending the cause is all that has to be done.

use serde_json::Value;
use serin_e2e::{Cluster, Controller, Namespace};

use crate::manifests::{
    SOON, canary, condition, controller, event, healthy, ingress, phase, resume, rollout, service, set_tag, told,
};

/// A namespace with a controller and a healthy rollout that has nothing to do with the trouble.
struct Place {
    namespace: Namespace,
    controller: Controller,
}

impl Place {
    fn new(purpose: &str) -> Self {
        let namespace = Cluster::booted().namespace(purpose);
        let controller = controller(&namespace);
        let place = Self { namespace, controller };
        // With requests, so that a quota can tell its pods from others.
        let well = rollout("well", 1, "v3.1.0", &canary("[{setWeight: 100}, {pause: {duration: 1}}]"), "");
        place
            .namespace
            .apply(&well.replace("{name: predictor,", "{name: predictor, resources: {requests: {cpu: 1m}},"));
        place
    }

    /// The rollout beside the trouble takes an update as if nothing was wrong, by the same process.
    fn others_go_on(&mut self, tag: &str) {
        healthy(&self.namespace, "well");
        set_tag(&self.namespace, "well", tag);
        let well = healthy(&self.namespace, "well");
        assert_eq!(well["status"]["stableRS"], well["status"]["currentPodHash"]);
        assert!(self.controller.is_running(), "{}", self.controller.log());
    }
}

/// Applies what kubectl would refuse by itself.
fn force(namespace: &Namespace, manifests: &str) {
    let arguments = ["apply", "--validate=false", "-f", "-"];
    let output = namespace.try_kubectl(&arguments, manifests);
    assert!(output.success, "{output:?}\n{manifests}");
}

/// A rollout of no pods with the parts of a spec that are tried; YAML's flow style.
fn tried(name: &str, strategy: &str, more: &str) -> String {
    rollout(name, 0, "v3.1.0", strategy, more)
}

fn invalid(namespace: &Namespace, name: &str, part: &str) -> Value {
    let found = told(namespace, name, "InvalidSpec", "InvalidSpec", part);
    let phase = &found["status"]["phase"];
    assert!(phase == "Degraded", "{name}: {phase}");
    found
}

#[test]
fn malformed_rollouts_say_what_is_wrong_and_heal() {
    let mut place = Place::new("malformed");
    let namespace = &place.namespace;
    let strategies = [
        (
            "two-keys",
            "{canary: {steps: [{setWeight: 20, pause: {}}]}}",
            "spec.strategy.steps[0]: Invalid value: Step must have one",
        ),
        ("no-key", "{canary: {steps: [{}]}}", "spec.strategy.steps[0]: Invalid value: Step must have one"),
        ("weight", "{canary: {steps: [{setWeight: 101}]}}", "SetWeight needs to be between 0 and 100"),
        ("duration", "{canary: {steps: [{pause: {duration: soon}}]}}", "spec.strategy.steps[0].pause.duration"),
        ("nothing", "{canary: {maxSurge: 0, maxUnavailable: 0}}", "MaxSurge and MaxUnavailable both can not be zero"),
        ("both", "{canary: {}, blueGreen: {activeService: a}}", "Multiple Strategies can not be listed"),
        ("neither", "{}", "spec.strategy.canary or .spec.strategy.blueGreen"),
        ("same", "{blueGreen: {activeService: a, previewService: a}}", "two different services are required"),
        ("no-service", "{blueGreen: {activeService: gone}}", "service \"gone\" not found"),
        (
            "no-template",
            "{canary: {steps: [{analysis: {templates: [{templateName: gone}]}}]}}",
            "AnalysisTemplate 'gone' not found",
        ),
    ];
    for (name, strategy, _) in &strategies {
        force(namespace, &tried(name, strategy, ""));
    }
    // What the definition cannot know, since it lets pod templates pass as they are.
    let templates = [
        ("t-containers", "containers: [{name: predictor,", "containers: none, x: [{name: predictor,"),
        ("t-name", "{name: predictor,", "{name: Not_A_Name,"),
        ("t-labels", "{labels: {app: t-labels}}", "{labels: {app: another}}"),
        ("t-policy", "terminationGracePeriodSeconds: 1", "restartPolicy: Never"),
    ];
    // Values of a type that only the server knows: it says so when a version is made of them.
    let types = [
        ("t-pull", "{name: predictor,", "{imagePullPolicy: 5, name: predictor,", "imagePullPolicy"),
        ("t-port", "containerPort: 8000", "containerPort: many", "containerPort"),
    ];
    let typed = types.iter().map(|(name, from, to, _)| (*name, *from, *to));
    for (name, from, to) in templates.iter().copied().chain(typed) {
        let manifest = tried(name, &canary("[]"), "");
        let changed = manifest.replacen(from, to, 1);
        assert_ne!(manifest, changed, "{name}");
        force(namespace, &changed);
    }
    for (name, _, part) in &strategies {
        invalid(namespace, name, part);
        event(namespace, name, "InvalidSpec", part);
    }
    for (name, ..) in &templates {
        invalid(namespace, name, "spec.template");
    }
    for (name, .., part) in &types {
        told(namespace, name, "ReconciliationError", "ReconciliationError", part);
        event(namespace, name, "ReconciliationError", part);
    }
    place.others_go_on("v3.2.0");
    let namespace = &place.namespace;
    let names = strategies.iter().map(|one| one.0).chain(templates.iter().map(|one| one.0));
    let names: Vec<&str> = names.chain(types.iter().map(|one| one.0)).collect();
    for name in &names {
        // Replaced as a whole: an apply would leave what it did not set.
        let output = namespace.try_kubectl(&["replace", "-f", "-"], &tried(name, &canary("[]"), ""));
        assert!(output.success, "{output:?}");
    }
    for name in &names {
        let healed = healthy(namespace, name);
        for kind in ["InvalidSpec", "ReconciliationError"] {
            assert!(condition(&healed, kind).is_null(), "{name}: {healed}");
        }
    }
}

#[test]
fn unknown_fields_do_no_harm() {
    let mut place = Place::new("unknown");
    let manifest = rollout(
        "new",
        1,
        "v3.1.0",
        &canary("[{setWeight: 50, shine: yes}, {pause: {glow: 3, duration: 1}}]"),
        "sparkle: {a: 1}",
    );
    // In the template of the pods they are kept by the definition, and left to those who know them.
    let manifest = manifest.replacen(
        "terminationGracePeriodSeconds: 1",
        "terminationGracePeriodSeconds: 1, fieldOfTomorrow: {a: 1}",
        1,
    );
    force(&place.namespace, &manifest);
    healthy(&place.namespace, "new");
    set_tag(&place.namespace, "new", "v3.2.0");
    let done = healthy(&place.namespace, "new");
    assert_eq!(done["status"]["currentStepIndex"], 2);
    place.others_go_on("v3.2.0");
}

const CHECK: &str = "
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: check}
spec:
  metrics:
  - name: one
    successCondition: result[0] == 1
    provider: {prometheus: {address: \"http://prometheus.monitoring.svc.cluster.local:9090\", query: vector(1)}}
";

#[test]
fn a_template_that_is_deleted_in_use_is_missed_and_taken_when_it_is_back() {
    let mut place = Place::new("template");
    let namespace = &place.namespace;
    let steps = canary("[{setWeight: 50}, {pause: {}}, {analysis: {templates: [{templateName: check}]}}]");
    namespace.apply(&(CHECK.to_owned() + &rollout("web", 1, "v3.1.0", &steps, "")));
    healthy(namespace, "web");
    set_tag(namespace, "web", "v3.2.0");
    phase(namespace, "web", "Paused");
    namespace.kubectl(&["delete", "analysistemplate", "check"]);
    let missed = invalid(namespace, "web", "check");
    assert_eq!(missed["status"]["currentStepIndex"], 1);
    event(namespace, "web", "InvalidSpec", "check");
    place.others_go_on("v3.2.0");
    let namespace = &place.namespace;
    namespace.apply(CHECK);
    let back = phase(namespace, "web", "Paused");
    assert_eq!(back["status"]["currentStepIndex"], 1);
    resume(namespace, "web");
    healthy(namespace, "web");
    assert_eq!(namespace.objects("analysisruns", "").len(), 1);
}

#[test]
fn a_service_belongs_to_one_rollout() {
    let mut place = Place::new("claimed");
    let namespace = &place.namespace;
    let strategy = |active: &str| format!("{{blueGreen: {{activeService: {active}}}}}");
    namespace.apply(&(service("shared", "web") + &rollout("web", 1, "v3.1.0", &strategy("shared"), "")));
    let first = healthy(namespace, "web");
    namespace.apply(&rollout("other", 1, "v3.1.0", &strategy("shared"), ""));
    invalid(namespace, "other", "shared");
    event(namespace, "other", "InvalidSpec", "shared");
    // The first one keeps it.
    let selected =
        namespace.object("service", "shared").unwrap()["spec"]["selector"]["rollouts-pod-template-hash"].take();
    assert_eq!(selected, first["status"]["stableRS"]);
    place.others_go_on("v3.2.0");
    let namespace = &place.namespace;
    namespace.apply(&(service("own", "other") + &rollout("other", 1, "v3.1.0", &strategy("own"), "")));
    healthy(namespace, "other");
    assert_eq!(healthy(namespace, "web")["status"]["stableRS"], selected);
}

#[test]
fn an_ingress_that_is_missing_or_leads_elsewhere_is_named() {
    let mut place = Place::new("ingress");
    let namespace = &place.namespace;
    let strategy = "{canary: {stableService: stable, canaryService: canary, trafficRouting: {nginx: {stableIngress: front}}, \
         steps: [{setWeight: 50}, {pause: {duration: 1}}]}}";
    let services = service("stable", "web") + &service("canary", "web") + &service("elsewhere", "web");
    namespace.apply(&(services + &rollout("web", 1, "v3.1.0", strategy, "")));
    invalid(namespace, "web", "front");
    event(namespace, "web", "InvalidSpec", "front");
    let host = format!("{}.test", namespace.name());
    namespace.apply(&ingress("front", &host, "elsewhere"));
    invalid(namespace, "web", "stable");
    place.others_go_on("v3.2.0");
    let namespace = &place.namespace;
    namespace.apply(&ingress("front", &host, "stable"));
    healthy(namespace, "web");
    set_tag(namespace, "web", "v3.2.0");
    healthy(namespace, "web");
}

//= compat: 2.6-8
#[test]
fn a_quota_that_is_exceeded_is_told_by_whom_it_stops() {
    let mut place = Place::new("quota");
    let namespace = &place.namespace;
    // For pods without requests only: those of the rollout beside it have some.
    namespace.apply(
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: pods}, spec: {hard: {pods: 1}, scopes: [BestEffort]}}",
    );
    namespace.wait_for("resourcequota", "pods", "counted", SOON, |quota| quota["status"]["hard"]["pods"] == "1");
    namespace.apply(&rollout("web", 2, "v3.1.0", &canary("[]"), "progressDeadlineSeconds: 5"));
    told(namespace, "web", "ReplicaFailure", "FailedCreate", "exceeded quota: pods");
    told(namespace, "web", "Progressing", "ProgressDeadlineExceeded", "");
    place.others_go_on("v3.2.0");
    let namespace = &place.namespace;
    namespace.kubectl(&["delete", "resourcequota", "pods"]);
    let healed = healthy(namespace, "web");
    assert!(condition(&healed, "ReplicaFailure").is_null(), "{healed}");
}

//= compat: 2.3-9
#[test]
fn a_quota_of_replica_sets_is_told_with_the_rollout_that_needs_one() {
    let mut place = Place::new("sets");
    let namespace = &place.namespace;
    healthy(namespace, "well");
    namespace.apply(
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: sets}, spec: {hard: {count/replicasets.apps: 1}}}",
    );
    namespace.wait_for("resourcequota", "sets", "counted", SOON, |quota| {
        quota["status"]["used"]["count/replicasets.apps"] == "1"
    });
    namespace.apply(&rollout("web", 1, "v3.1.0", &canary("[]"), ""));
    told(namespace, "web", "ReconciliationError", "ReconciliationError", "exceeded quota: sets");
    event(namespace, "web", "ReconciliationError", "exceeded quota: sets");
    // What needs no other set goes on.
    namespace.kubectl(&["scale", "rollout", "well", "--replicas=2"]);
    namespace.wait_for("rollout", "well", "scaled", SOON, |r| r["status"]["availableReplicas"] == 2);
    namespace.kubectl(&["delete", "resourcequota", "sets"]);
    let healed = healthy(namespace, "web");
    assert!(condition(&healed, "ReconciliationError").is_null(), "{healed}");
    place.others_go_on("v3.2.0");
}

#[test]
fn versions_that_do_not_come_up_run_into_their_deadline() {
    let mut place = Place::new("deadline");
    let namespace = &place.namespace;
    let steps = canary("[{setWeight: 50}, {pause: {duration: 1}}]");
    for name in ["pull", "ready"] {
        namespace.apply(&rollout(name, 1, "v3.1.0", &steps, "progressDeadlineSeconds: 600"));
    }
    for name in ["pull", "ready"] {
        healthy(namespace, name);
        namespace.kubectl(&[
            "patch",
            "rollout",
            name,
            "--type=merge",
            "--patch",
            r#"{"spec":{"progressDeadlineSeconds":5}}"#,
        ]);
    }
    set_tag(namespace, "pull", "v0.0.0");
    let path = "/spec/template/spec/containers/0/readinessProbe/httpGet/path";
    let probe = |value: &str| format!(r#"[{{"op":"replace","path":"{path}","value":"{value}"}}]"#);
    namespace.kubectl(&["patch", "rollout", "ready", "--type=json", "--patch", &probe("/nowhere")]);
    for name in ["pull", "ready"] {
        let late = phase(namespace, name, "Degraded");
        let progress = condition(&late, "Progressing");
        assert_eq!((&progress["status"], &progress["reason"]), (&"False".into(), &"ProgressDeadlineExceeded".into()));
        assert!(late["status"]["message"].as_str().unwrap().starts_with("ProgressDeadlineExceeded: "), "{late}");
        // The good version serves all the time.
        assert_eq!(late["status"]["availableReplicas"], 1);
    }
    place.others_go_on("v3.2.0");
    let namespace = &place.namespace;
    for name in ["pull", "ready"] {
        namespace.kubectl(&[
            "patch",
            "rollout",
            name,
            "--type=merge",
            "--patch",
            r#"{"spec":{"progressDeadlineSeconds":600}}"#,
        ]);
    }
    set_tag(namespace, "pull", "v3.2.0");
    namespace.kubectl(&["patch", "rollout", "ready", "--type=json", "--patch", &probe("/metrics")]);
    for name in ["pull", "ready"] {
        healthy(namespace, name);
    }
}

/// A rule of admission for one namespace, taken away when it is dropped.
struct Rule<'n>(&'n Namespace);

impl<'n> Rule<'n> {
    fn new(namespace: &'n Namespace) -> Self {
        let name = namespace.name();
        Cluster::booted().apply(&format!(
            "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  failurePolicy: Fail
  matchConstraints: {{resourceRules: [{{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [replicasets]}}]}}
  validations: [{{expression: \"object.metadata.?labels.app.orValue('') != 'web'\", message: web is closed until Monday}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec:
  policyName: {name}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}}}
"
        ));
        let probe = format!(
            "{{apiVersion: apps/v1, kind: ReplicaSet, metadata: {{name: probe, labels: {{app: web}}}}, \
               spec: {{replicas: 0, selector: {{matchLabels: {{app: web}}}}, template: {}}}}}",
            crate::manifests::template("web", "v3.1.0")
        );
        // It takes the server a moment to know it.
        namespace.wait_until("the rule", SOON, || {
            let output = namespace.try_kubectl(&["create", "--dry-run=server", "-f", "-"], &probe);
            if output.stderr.contains("closed until Monday") { Ok(()) } else { Err(format!("{output:?}")) }
        });
        Self(namespace)
    }
}

impl Drop for Rule<'_> {
    fn drop(&mut self) {
        for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
            let _ = Cluster::booted().try_kubectl(&["delete", kind, self.0.name()], "");
        }
    }
}

#[test]
fn a_rule_that_rejects_a_write_is_told_in_its_own_words() {
    let mut place = Place::new("rule");
    let namespace = &place.namespace;
    let rule = Rule::new(namespace);
    namespace.apply(&rollout("web", 1, "v3.1.0", &canary("[]"), ""));
    told(namespace, "web", "ReconciliationError", "ReconciliationError", "web is closed until Monday");
    event(namespace, "web", "ReconciliationError", "web is closed until Monday");
    assert_eq!(namespace.objects("replicasets", "app=web").len(), 0);
    set_tag(namespace, "well", "v3.2.0");
    healthy(namespace, "well");
    drop(rule);
    let healed = healthy(namespace, "web");
    assert!(condition(&healed, "ReconciliationError").is_null(), "{healed}");
    place.others_go_on("v3.3.0");
}

/// A user of its own, whose rights over ReplicaSets are apart from the others.
fn bindings(namespace: &Namespace, name: &str) -> String {
    let role = if name == "sets" {
        "[{apiGroups: [apps], resources: [replicasets], verbs: ['*']}]"
    } else {
        "[{apiGroups: [argoproj.io, batch, networking.k8s.io, gateway.networking.k8s.io, coordination.k8s.io], resources: ['*'], verbs: ['*']}, \
          {apiGroups: [''], resources: [pods, services, events, pods/eviction, podtemplates], verbs: ['*']}, \
          {apiGroups: [apps], resources: [deployments], verbs: ['*']}, \
          {apiGroups: [apps], resources: [replicasets], verbs: [get, list, watch]}]"
    };
    format!(
        "
---
{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: {name}}}, rules: {role}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}}
subjects: [{{kind: ServiceAccount, name: driver, namespace: {}}}]
",
        namespace.name()
    )
}

#[test]
fn rights_that_are_revoked_are_missed_and_used_when_they_are_back() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("rights");
    namespace.kubectl(&["create", "serviceaccount", "driver"]);
    namespace.apply(&(bindings(&namespace, "base") + &bindings(&namespace, "sets")));
    let token = namespace.kubectl(&["create", "token", "driver", "--duration=1h"]);
    let kubeconfig = cluster.kubeconfig_of_token(namespace.name(), token.trim());
    let arguments = ["--namespaced", "--namespace", namespace.name(), "--healthz-port=0", "--metrics-port=0"];
    let mut controller = namespace.controller_with(&kubeconfig, &arguments, &[]);
    let steps = canary("[{setWeight: 50}, {pause: {duration: 1}}]");
    namespace.apply(&(rollout("web", 1, "v3.1.0", &steps, "") + &rollout("idle", 0, "v3.1.0", &steps, "")));
    healthy(&namespace, "web");
    healthy(&namespace, "idle");

    namespace.kubectl(&["delete", "rolebinding", "sets"]);
    set_tag(&namespace, "web", "v3.2.0");
    told(&namespace, "web", "ReconciliationError", "ReconciliationError", "replicasets");
    event(&namespace, "web", "ReconciliationError", "cannot create resource \"replicasets\"");
    // What needs nothing of the kind is not affected.
    let idle = namespace.object("rollout", "idle").unwrap();
    assert!(condition(&idle, "ReconciliationError").is_null(), "{idle}");
    namespace.apply(&bindings(&namespace, "sets"));
    let healed = healthy(&namespace, "web");
    assert!(condition(&healed, "ReconciliationError").is_null(), "{healed}");

    // Without any it cannot even say so but in its log, and stays.
    namespace.kubectl(&["delete", "rolebinding", "sets", "base"]);
    set_tag(&namespace, "web", "v3.3.0");
    namespace.wait_until("a line in the log", SOON, || {
        let log = controller.log();
        let cut = log.rfind("cannot patch resource \"rollouts").map(|_| ());
        cut.ok_or_else(|| "none".to_owned())
    });
    namespace.apply(&(bindings(&namespace, "base") + &bindings(&namespace, "sets")));
    healthy(&namespace, "web");
    assert!(controller.is_running(), "{}", controller.log());
}
