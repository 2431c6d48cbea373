//! Helm and kubectl as programs that render.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

pub(crate) fn chart() -> PathBuf {
    deploy().join("helm/serin")
}

/// The program that a variable names, else the one on the path.
pub(crate) fn program(variable: &str, name: &str) -> Command {
    let program = std::env::var_os(variable).unwrap_or_else(|| name.into());
    let mut command = Command::new(program);
    // Nothing of the user's own configuration or cluster takes part.
    command.env("KUBECONFIG", "none").env("HELM_NO_PLUGINS", "1");
    command
}

fn run(mut command: Command) -> Output {
    command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}: is it installed? `cargo xtask deploy --check` gets it"))
}

fn read(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// A base of `deploy/kustomize`.
pub(crate) fn kustomize(base: &str) -> Vec<Value> {
    let mut command = program("SERIN_KUBECTL", "kubectl");
    command.arg("kustomize").arg(deploy().join("kustomize").join(base));
    read(&run(command))
}

/// A base with a component of `deploy/kustomize`, as somebody would put them together.
pub(crate) fn kustomize_with(base: &str, component: &str) -> Vec<Value> {
    // Kustomize takes no absolute paths, and none out of where links lead.
    let folder = deploy().join(format!("../target/kustomize-{base}-{component}"));
    std::fs::create_dir_all(&folder).unwrap();
    let text =
        format!("resources: [../../deploy/kustomize/{base}]\ncomponents: [../../deploy/kustomize/{component}]\n");
    std::fs::write(folder.join("kustomization.yaml"), text).unwrap();
    let mut command = program("SERIN_KUBECTL", "kubectl");
    command.arg("kustomize").arg(folder);
    read(&run(command))
}

fn template(home: &str, arguments: &[&str]) -> Output {
    let mut command = program("SERIN_HELM", "helm");
    command.args(["template", "any-release", "--namespace", home]).arg(chart()).args(arguments);
    run(command)
}

/// The chart with these arguments, installed into a namespace.
pub(crate) fn helm(home: &str, arguments: &[&str]) -> Vec<Value> {
    read(&template(home, arguments))
}

/// What Helm says to values that it refuses.
pub(crate) fn helm_fails(arguments: &[&str]) -> String {
    let output = template("a", arguments);
    assert!(!output.status.success(), "{arguments:?} were taken");
    String::from_utf8(output.stderr).unwrap()
}
