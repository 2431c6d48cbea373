//! What is published for an installation is what `serin install` prints: bases, chart and documentation are written from the same
//! functions. `UPDATE_GOLDEN=1` writes them anew (`cargo xtask deploy`).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use serin_controller::Object;
use serin_controller::install::permission::{Permission, Reach, TABLE};
use serin_controller::install::{Options, Scope, definitions, objects};

const NOTE: &str = "# Written by `cargo xtask deploy`.\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Holds a file to its text, or writes it.
fn published(path: &str, text: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{} is not what `serin install` prints: run `cargo xtask deploy`", path.display());
}

fn documents<'o>(objects: impl IntoIterator<Item = &'o Object>) -> String {
    let mut text = NOTE.to_owned();
    for object in objects {
        write!(text, "---\n{}", serde_saphyr::to_string(&object.0).unwrap()).unwrap();
    }
    text
}

fn is_definition(object: &Object) -> bool {
    object.kind() == "CustomResourceDefinition"
}

#[test]
fn the_kustomize_bases_are_current() {
    published("deploy/kustomize/crds/crds.yaml", &documents(&definitions()));
    let namespaced = Options { scope: Scope::Namespace("serin".to_owned()), shared: false, ..Options::default() };
    for (folder, options) in [("cluster", Options::default()), ("namespaced", namespaced)] {
        let objects = objects(&options);
        let own = objects.iter().filter(|object| !is_definition(object));
        published(&format!("deploy/kustomize/{folder}/serin.yaml"), &documents(own));
    }
}

#[test]
fn the_charts_definitions_are_current() {
    for definition in serin_spec::crd::definitions() {
        let text = format!("{NOTE}{}", serde_saphyr::to_string(&definition.object).unwrap());
        published(&format!("deploy/helm/serin/crds/{}", definition.file), &text);
    }
}

/// The roles for people are the same wherever the chart is installed; the controller's rules are put into roles by hand-written
/// templates.
#[test]
fn the_charts_rules_are_current() {
    let objects = objects(&Options::default());
    let people: Vec<&Object> =
        objects.iter().filter(|object| object.name().starts_with("serin-aggregate-to-")).collect();
    let text = documents(people);
    let text = text.strip_prefix(NOTE).unwrap();
    published(
        "deploy/helm/serin/templates/people.yaml",
        &format!(
            "{{{{- /* Written by `cargo xtask deploy`. */ -}}}}\n{{{{- if .Values.people.create }}}}\n{text}{{{{- end }}}}\n"
        ),
    );
    let mut rules =
        "{{- /* Written by `cargo xtask deploy`: the rules of the controller's roles, by where they hold. */ -}}\n"
            .to_owned();
    for (name, reach) in REACHES {
        let list: Vec<Value> = lines(reach).map(|line| line.rule("LOCK")).collect();
        let text = serde_saphyr::to_string(&list).unwrap().replace("LOCK", "{{ include \"serin.lock\" . }}");
        write!(rules, "{{{{- define \"serin.rules.{name}\" -}}}}\n{text}{{{{- end }}}}\n").unwrap();
    }
    published("deploy/helm/serin/templates/_rules.tpl", &rules);
}

const REACHES: [(&str, Reach); 5] = [
    ("watched", Reach::Watched),
    ("cluster", Reach::Cluster),
    ("secrets", Reach::Secrets),
    ("home", Reach::Home),
    ("lock", Reach::Lock),
];

fn lines(reach: Reach) -> impl Iterator<Item = &'static Permission> {
    TABLE.iter().filter(move |line| line.reach == reach)
}

#[test]
fn the_documentation_names_every_permission() {
    let place = |reach| match reach {
        Reach::Watched => "watched namespaces",
        Reach::Cluster => "cluster (not with `--namespaced`)",
        Reach::Home => "controller's namespace",
        Reach::Lock => "controller's namespace, the lock alone",
        Reach::Secrets => "named namespaces",
    };
    let mut table = "| where | group | resources | verbs | what for |\n|---|---|---|---|---|\n".to_owned();
    for line in &TABLE {
        let group = if line.group.is_empty() { "core" } else { line.group };
        let (resources, verbs) = (line.resources.join(", "), line.verbs.join(", "));
        writeln!(table, "| {} | {group} | {resources} | {verbs} | {} |", place(line.reach), line.why).unwrap();
    }
    let path = "docs/kubernetes.md";
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let (begin, end) = ("<!-- permissions: written by `cargo xtask deploy` -->\n", "<!-- end of permissions -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    published(path, &format!("{before}{begin}{table}{end}{after}"));
}
