//! Manifests of the tests: one rollout with its services and its ingress, in the words of a cluster.

/// A rollout with what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// Name of the rollout; its host is `NAME.local`.
    pub(crate) name: String,
    /// Namespace.
    pub(crate) namespace: String,
    /// Image without its tag.
    pub(crate) image: String,
    /// Tag.
    pub(crate) tag: String,
    /// Replicas.
    pub(crate) replicas: u32,
    /// The steps, one line of flow YAML each.
    pub(crate) steps: Vec<String>,
    /// Further lines of `spec`, without indentation.
    pub(crate) spec: String,
    /// Further lines of the container, without indentation.
    pub(crate) container: String,
    /// Further lines of the pod's `spec`, without indentation.
    pub(crate) pod: String,
    /// Annotations of the rollout.
    pub(crate) annotations: Vec<(String, String)>,
    /// Whether an Ingress splits its requests.
    pub(crate) routed: bool,
    /// The lines of `strategy.blueGreen` besides its services, without indentation; a canary when absent.
    pub(crate) blue_green: Option<String>,
    /// Further lines of `strategy.canary`, without indentation.
    pub(crate) canary: String,
    /// Further fields of `trafficRouting`, as flow YAML with a comma in front.
    pub(crate) routing: String,
}

impl App {
    /// A rollout of one member with these steps.
    pub(crate) fn new(name: &str, steps: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            namespace: "default".to_owned(),
            image: "registry.test/model".to_owned(),
            tag: "good.1".to_owned(),
            replicas: 1,
            steps: steps.iter().map(|s| (*s).to_owned()).collect(),
            spec: String::new(),
            container: String::new(),
            pod: String::new(),
            annotations: Vec::new(),
            routed: true,
            blue_green: None,
            routing: String::new(),
            canary: String::new(),
        }
    }

    /// A blue-green rollout of two members with these lines; its services are `NAME-active` and `NAME-preview`, and its Ingress
    /// leads to the first.
    pub(crate) fn blue_green(name: &str, lines: &[&str]) -> Self {
        let blue_green = Some(lines.iter().map(|l| format!("{l}\n")).collect());
        Self { blue_green, replicas: 2, ..Self::new(name, &[]) }
    }

    /// As YAML.
    pub(crate) fn yaml(&self) -> String {
        let Self { name, namespace, image, tag, replicas, .. } = self;
        let annotations: String = self.annotations.iter().map(|(k, v)| format!("\n    {k}: {v:?}")).collect();
        let annotations = if annotations.is_empty() { " {}".to_owned() } else { annotations };
        let steps: String = self.steps.iter().map(|s| format!("\n      - {s}")).collect();
        let steps = if steps.is_empty() { " []".to_owned() } else { steps };
        let routing = match self.routed {
            true => format!(
                "\n      stableService: {name}-stable\n      canaryService: {name}-canary\n      trafficRouting: {{nginx: {{stableIngress: {name}}}{}}}",
                self.routing
            ),
            false => String::new(),
        };
        let strategy = match &self.blue_green {
            None => format!("canary:{routing}{}\n      steps:{steps}", indented(&self.canary, 6)),
            Some(lines) => format!(
                "blueGreen:\n      activeService: {name}-active\n      previewService: {name}-preview{}",
                indented(lines, 6)
            ),
        };
        let (spec, pod, container) = (indented(&self.spec, 2), indented(&self.pod, 6), indented(&self.container, 10));
        let rollout = format!(
            r#"apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: {name}
  namespace: {namespace}
  annotations:{annotations}
spec:{spec}
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata:
      labels: {{app: {name}}}
      annotations: {{prometheus.io/scrape: "true", prometheus.io/port: "8000"}}
    spec:{pod}
      containers:
        - name: model
          image: {image}:{tag}
          ports: [{{name: http, containerPort: 8000}}]
          readinessProbe: {{httpGet: {{path: /health, port: http}}, periodSeconds: 5}}{container}
  strategy:
    {strategy}
"#
        );
        if self.blue_green.is_some() {
            return format!(
                "{rollout}{}{}{}",
                self.service("-active"),
                self.service("-preview"),
                self.ingress("-active")
            );
        }
        match self.routed {
            true => {
                format!("{rollout}{}{}{}", self.service("-stable"), self.service("-canary"), self.ingress("-stable"))
            }
            false => format!("{rollout}{}", self.service("")),
        }
    }

    fn service(&self, suffix: &str) -> String {
        let Self { name, namespace, .. } = self;
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}{suffix}, namespace: {namespace}}}\nspec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: http}}]}}\n"
        )
    }

    fn ingress(&self, suffix: &str) -> String {
        let Self { name, namespace, .. } = self;
        let host = self.host();
        format!(
            r#"---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  rules:
    - host: {host}
      http:
        paths:
          - {{path: /, pathType: Prefix, backend: {{service: {{name: {name}{suffix}, port: {{number: 80}}}}}}}}
"#
        )
    }

    /// The host that its Ingress answers to.
    pub(crate) fn host(&self) -> String {
        match self.namespace.as_str() {
            "default" => format!("{}.local", self.name),
            namespace => format!("{}.{namespace}.local", self.name),
        }
    }
}

fn indented(lines: &str, blanks: usize) -> String {
    lines.lines().map(|line| format!("\n{}{line}", " ".repeat(blanks))).collect()
}

/// A template of one metric: the share of a version's answers that are errors, by its own counters, which must stay
/// below a half. Without traffic it has no value.
pub(crate) fn error_rate(name: &str, interval: &str, count: u32, limit: u32) -> String {
    let rate = |extra: &str| {
        format!("sum(rate(predictions_total{{rollouts_pod_template_hash=\"{{{{args.hash}}}}\"{extra}}}[60s]))")
    };
    let query = format!("{} / ({} > 0)", rate(",code=\"500\""), rate(""));
    template(name, interval, count, limit, &query)
}

/// A template with this query, whose first value must stay below a half. Its argument is `hash`.
pub(crate) fn template(name: &str, interval: &str, count: u32, limit: u32, query: &str) -> String {
    format!(
        r#"---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: {name}}}
spec:
  args: [{{name: hash}}]
  metrics:
    - name: error-rate
      interval: {interval}
      count: {count}
      failureLimit: {limit}
      successCondition: result[0] < 0.5
      provider:
        prometheus:
          address: http://prometheus.test:9090
          query: |
            {query}
"#
    )
}

/// An analysis before or after a switch that runs a template on the new version.
pub(crate) fn around_switch(when: &str, template: &str) -> String {
    format!(
        "{when}PromotionAnalysis: {{templates: [{{templateName: {template}}}], args: [{{name: hash, valueFrom: {{podTemplateHashValue: Latest}}}}]}}"
    )
}

/// The step that runs a template on the new version.
pub(crate) fn analysis(template: &str) -> String {
    format!(
        "analysis: {{templates: [{{templateName: {template}}}], args: [{{name: hash, valueFrom: {{podTemplateHashValue: Latest}}}}]}}"
    )
}

/// A template of one sequential metric with these settings, as flow YAML.
pub(crate) fn sequential(name: &str, recipe: &str, settings: &str) -> String {
    format!(
        "---\napiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {{name: {name}}}\nspec:\n  metrics:\n    - name: {name}\n      provider: {{plugin: {{serin.dev/{recipe}: {settings}}}}}\n"
    )
}

/// The lines of a canary that run a template beside its steps.
pub(crate) fn background(template: &str) -> String {
    format!("analysis: {{templates: [{{templateName: {template}}}]}}")
}
