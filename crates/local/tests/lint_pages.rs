//! The pages of the lints: every lint has one, what it shows is found by that lint and by no other, and what it shows
//! instead has no problem at all.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serin_spec::lint::{LINTS, Level, Lint, Policy};
use serin_spec::{Problem, Source};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/lints")
}

/// What pages leave out, because it is always the same.
const USUAL: &str = r#"  selector: {matchLabels: {app: model}}
  template:
    metadata: {labels: {app: model}}
    spec:
      containers:
        - name: model
          image: registry.example.com/model:v1
          ports: [{name: http, containerPort: 8000}]
          readinessProbe: {httpGet: {path: /health, port: http}}
"#;

/// The objects that pages name and do not show.
const AROUND: &str = r#"
---
apiVersion: v1
kind: Service
metadata: {name: model-stable}
spec: {selector: {app: model}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: model-canary}
spec: {selector: {app: model}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: model-active}
spec: {selector: {app: model}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: model-preview}
spec: {selector: {app: model}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: model}
spec:
  rules:
    - host: model.local
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: model-stable, port: {number: 80}}}}]}
"#;

const HEALTH: &str = r#"
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: health}
spec:
  metrics:
    - name: errors
      interval: 30s
      count: 3
      failureLimit: 1
      successCondition: result[0] < 10
      provider: {prometheus: {query: 'sum(increase(model_errors_total{version="canary"}[2m]))'}}
"#;

/// The two blocks of a page.
fn blocks(lint: &Lint) -> [String; 2] {
    let parts: Vec<&str> = lint.page.split("```").collect();
    let blocks: Vec<String> = parts.iter().filter_map(|part| part.strip_prefix("yaml\n")).map(str::to_owned).collect();
    blocks.try_into().unwrap_or_else(|found: Vec<String>| panic!("{}: {} blocks of YAML", lint.code, found.len()))
}

/// A block as a whole manifest.
fn whole(block: &str) -> String {
    let health = if block.contains("templateName: health") { HEALTH } else { "" };
    let text = block.replace("  # selector and template as usual\n", USUAL);
    format!("{text}{AROUND}{health}")
}

fn problems(lint: &Lint, block: &str) -> Vec<Problem> {
    let sources = [Source::new(format!("{}.yaml", lint.code), whole(block))];
    let (catalog, found) = serin_local::check_for_cluster(&sources);
    let asked = if lint.level == Level::Allow { vec![lint.code.to_owned()] } else { Vec::new() };
    let policy = Policy::new(&[], &asked, &[]).unwrap();
    policy.apply(&sources, &catalog, found, serin_local::lint(&catalog))
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem} [{}]\n", problem.code)).collect()
}

#[test]
fn every_lint_has_a_page_and_every_page_a_lint() {
    let pages = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<String> = pages.filter(|name| name != "README.md").collect();
    let lints: BTreeSet<String> = LINTS.iter().map(|lint| format!("{}.md", lint.code)).collect();
    assert_eq!(pages, lints);
    let names: BTreeSet<&str> = LINTS.iter().map(|lint| lint.name).collect();
    assert_eq!(names.len(), LINTS.len(), "two lints have one name");
    assert!(LINTS.is_sorted_by_key(|lint| lint.code));
}

#[test]
fn pages_say_what_the_lint_is_called_and_how_loud_it_is() {
    for lint in LINTS {
        assert!(lint.page.starts_with(&format!("# {} {}\n", lint.code, lint.name)), "{}", lint.code);
        let level = match lint.level {
            Level::Allow => "Level: off, unless asked for with `--warn`.",
            Level::Note => "Level: a note.",
            Level::Warn => "Level: a warning.",
            Level::Deny => "Level: an error.",
        };
        assert!(lint.page.contains(level), "{}: its page does not say {level:?}", lint.code);
    }
}

#[test]
fn the_index_lists_every_lint() {
    let index = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for Lint { code, name, summary, level, .. } in LINTS {
        let row = format!("| [{code}]({code}.md) | `{name}` | {level} | {summary} |");
        assert!(index.contains(&row), "docs/lints/README.md lacks the row:\n{row}");
    }
}

#[test]
fn what_pages_show_is_found_by_their_lint_alone() {
    let mut wrong = String::new();
    for lint in LINTS {
        let [bad, good] = blocks(lint);
        let found = problems(lint, &bad);
        let codes: BTreeSet<&str> = found.iter().map(|problem| problem.code).collect();
        if codes != BTreeSet::from([lint.name]) {
            wrong += &format!("{} ({}), found:\n{}", lint.code, lint.name, listed(&found));
        }
        let found = problems(lint, &good);
        if !found.is_empty() {
            wrong += &format!("{} ({}), put right:\n{}", lint.code, lint.name, listed(&found));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn findings_lie_in_the_lines_that_pages_show() {
    for lint in LINTS {
        let [bad, _] = blocks(lint);
        let text = whole(&bad);
        for problem in problems(lint, &bad) {
            let line = text.lines().nth(problem.line.max(1) - 1).unwrap_or_default();
            assert!(problem.line >= 1 && problem.column >= 1, "{problem}: no place");
            assert!(bad.contains(line), "{problem}: outside of the page's own lines");
            assert!(problem.hint.is_some(), "{problem}: no way out");
        }
    }
}

#[test]
fn an_annotation_allows_a_finding_by_name_and_by_code() {
    for lint in LINTS.iter().filter(|lint| lint.name != "unknown-lint") {
        let [bad, _] = blocks(lint);
        for word in [lint.name, lint.code, "all"] {
            let annotated = bad
                .replace(
                    "metadata: {name: model}",
                    &format!("metadata: {{name: model, annotations: {{serin.dev/allow: \"x, {word}\"}}}}"),
                )
                .replace(
                    "metadata: {name: errors}",
                    &format!("metadata: {{name: errors, annotations: {{serin.dev/allow: {word}}}}}"),
                )
                .replace(
                    "metadata: {name: latency}",
                    &format!("metadata: {{name: latency, annotations: {{serin.dev/allow: {word}}}}}"),
                )
                .replace("\"x, ", "\"");
            assert_ne!(annotated, bad, "{}", lint.code);
            let left = problems(lint, &annotated);
            assert!(left.is_empty(), "{} allowed by {word}:\n{}", lint.code, listed(&left));
        }
    }
}

/// The YAML files of a folder and of those in it.
fn manifests(folder: &std::path::Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if path.is_dir() => manifests(&path, found),
            Some("yaml") => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn what_the_project_itself_shows_has_no_warning() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut example = Vec::new();
    manifests(&root.join("examples/ml-portfolio/k8s"), &mut example);
    let mut alone = Vec::new();
    manifests(&root.join("crates/spec/tests/good"), &mut alone);
    assert!(example.len() >= 5 && alone.len() >= 4);
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let tour = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut sets: Vec<Vec<Source>> = vec![vec![Source::new("README.md", tour)]];
    let read = |path: &PathBuf| Source::new(path.to_string_lossy(), std::fs::read_to_string(path).unwrap());
    sets.push(example.iter().map(read).collect());
    sets.extend(alone.iter().map(|path| vec![read(path)]));
    for sources in sets {
        let (catalog, found) = serin_local::check_for_cluster(&sources);
        let mut problems = Policy::default().apply(&sources, &catalog, found, serin_local::lint(&catalog));
        problems.retain(|problem| problem.severity != serin_spec::Severity::Note);
        assert!(problems.is_empty(), "{}", listed(&problems));
    }
}
