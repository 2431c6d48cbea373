//! Dependencies: an allow-list per package, the direction of the arrows between our own crates, and the workspace's lints.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Finding;
use crate::TaskError;
use crate::repository::{Dependency, Metadata, Package, TextFile};

const LIST: &str = "xtask/dependencies.toml";

/// The arrows of ARCHITECTURE.md: what a crate of ours may know of our others. A crate that is not named knows none.
const ARROWS: [(&str, &[&str]); 18] = [
    ("serin-core", &["serin-expr", "serin-stats"]),
    ("serin-spec", &["serin-core", "serin-expr", "serin-stats"]),
    ("serin-routes", &["serin-core", "serin-spec"]),
    ("serin-providers", &["serin-core", "serin-expr", "serin-promql", "serin-spec", "serin-stats"]),
    ("serin-sim", &["serin-core", "serin-expr", "serin-promql", "serin-routes", "serin-spec", "serin-stats"]),
    ("serin-server", &["serin-core", "serin-spec"]),
    ("serin-local", LOCAL),
    ("serin-controller", CONTROLLER),
    ("serin-cluster", CLUSTER),
    ("serin-kubectl", &["serin-controller", "serin-core", "serin-spec"]),
    ("serin-e2e", &["serin-spec"]),
    ("serin-cli", CLI),
    ("serin-expr", &[]),
    ("serin-stats", &[]),
    ("serin-promql", &["serin-stats"]),
    ("serin-proxy", &["serin-stats"]),
    ("serin-supervisor", &[]),
    ("xtask", &["serin-sim", "serin-stats"]),
];
/// The adapters know everything but each other.
const LOCAL: &[&str] = &[
    "serin-core",
    "serin-expr",
    "serin-promql",
    "serin-providers",
    "serin-proxy",
    "serin-routes",
    "serin-server",
    "serin-spec",
    "serin-stats",
    "serin-supervisor",
];
const CONTROLLER: &[&str] = &[
    "serin-core",
    "serin-expr",
    "serin-promql",
    "serin-providers",
    "serin-routes",
    "serin-server",
    "serin-spec",
    "serin-stats",
];
/// What waits around the pure adapter of a cluster.
const CLUSTER: &[&str] =
    &["serin-controller", "serin-core", "serin-expr", "serin-providers", "serin-routes", "serin-spec", "serin-stats"];
/// The one binary knows all.
const CLI: &[&str] = &[
    "serin-cluster",
    "serin-kubectl",
    "serin-controller",
    "serin-core",
    "serin-expr",
    "serin-local",
    "serin-promql",
    "serin-providers",
    "serin-proxy",
    "serin-routes",
    "serin-server",
    "serin-sim",
    "serin-spec",
    "serin-stats",
    "serin-supervisor",
];

/// What a package may depend on directly.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    /// In its code.
    #[serde(default)]
    normal: Vec<String>,
    /// In its tests and benches, besides.
    #[serde(default)]
    dev: Vec<String>,
    /// In its build script.
    #[serde(default)]
    build: Vec<String>,
}

/// Checks every package of the workspace.
pub(super) fn check(files: &[TextFile], metadata: &Metadata) -> Result<Vec<Finding>, TaskError> {
    let text = files.iter().find(|file| file.path == LIST).map(|file| file.text.as_str());
    let text = text.ok_or_else(|| TaskError::read(LIST, "no such file"))?;
    let list: BTreeMap<String, Allowed> = toml::from_str(text).map_err(|e| TaskError::read(LIST, e))?;
    let mut findings = lints(files);
    for package in &metadata.packages {
        match list.get(&package.name) {
            Some(allowed) => findings.extend(allowances(package, allowed)),
            None => findings.push(Finding::error(LIST, None, format!("lacks the package {}", package.name))),
        }
        findings.extend(arrows(package));
    }
    Ok(findings)
}

/// What a package uses without being allowed to, and what it is allowed without using it.
fn allowances(package: &Package, allowed: &Allowed) -> Vec<Finding> {
    let name = &package.name;
    let kinds = [
        (None, "normal", &allowed.normal),
        (Some("dev"), "dev", &allowed.dev),
        (Some("build"), "build", &allowed.build),
    ];
    let mut findings = Vec::new();
    for (kind, word, entries) in kinds {
        let of_kind = |d: &&Dependency| d.kind.as_deref() == kind;
        // Tests may use what the code uses, with other features perhaps.
        let listed =
            |d: &&Dependency| entries.contains(&d.name) || kind == Some("dev") && allowed.normal.contains(&d.name);
        for dependency in package.dependencies.iter().filter(of_kind).filter(|d| !listed(d)) {
            let message = format!("{name} uses {} ({word}): is it needed? Then list it here", dependency.name);
            findings.push(Finding::error(LIST, None, message));
        }
        let used = |entry: &&String| package.dependencies.iter().filter(of_kind).any(|d| d.name == **entry);
        for entry in entries.iter().filter(|entry| !used(entry)) {
            findings.push(Finding::warning(LIST, format!("{name} may use {entry} ({word}), but does not")));
        }
    }
    findings
}

/// Arrows that point the wrong way. Tests may look where code may not.
fn arrows(package: &Package) -> Vec<Finding> {
    let allowed = ARROWS.iter().find(|(name, _)| *name == package.name).map_or(&[][..], |(_, allowed)| allowed);
    let ours = package.dependencies.iter().filter(|d| d.kind.is_none() && d.name.starts_with("serin-"));
    ours.filter(|d| !allowed.contains(&d.name.as_str()))
        .map(|d| {
            let message = format!("{} must know nothing of {} (see ARCHITECTURE.md)", package.name, d.name);
            Finding::error("Cargo.toml", None, message)
        })
        .collect()
}

/// Every manifest takes the lints of the workspace.
fn lints(files: &[TextFile]) -> Vec<Finding> {
    let manifests = files.iter().filter(|file| {
        let deep = file.path.matches('/').count();
        let member = ["crates/", "examples/"].iter().any(|folder| file.path.starts_with(folder)) && deep == 2;
        file.path.ends_with("/Cargo.toml") && (member || file.path == "xtask/Cargo.toml")
    });
    manifests
        .filter(|file| !file.text.replace([' ', '\r'], "").contains("[lints]\nworkspace=true"))
        .map(|file| Finding::error(&file.path, None, "add `[lints] workspace = true`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
        };
        Package { name: name.to_owned(), dependencies: dependencies.iter().map(dependency).collect() }
    }

    fn messages(list: &str, package: Package) -> Vec<String> {
        let files = [TextFile { path: LIST.to_owned(), text: list.to_owned() }];
        let metadata = Metadata { packages: vec![package], target_directory: "target".into() };
        check(&files, &metadata).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_listed_is_used_and_what_is_used_is_listed() {
        let list = "[serin-core]\nnormal = [\"serin-expr\"]\ndev = [\"proptest\"]\n";
        let good = package("serin-core", &[("serin-expr", None), ("proptest", Some("dev"))]);
        assert_eq!(messages(list, good), Vec::<String>::new());
        let twice =
            package("serin-core", &[("serin-expr", None), ("serin-expr", Some("dev")), ("proptest", Some("dev"))]);
        assert_eq!(messages(list, twice), Vec::<String>::new());
        let more = messages(
            list,
            package("serin-core", &[("serin-expr", None), ("proptest", None), ("proptest", Some("dev"))]),
        );
        assert_eq!(
            more,
            [format!("{LIST}: error: serin-core uses proptest (normal): is it needed? Then list it here")]
        );
        let less = messages(list, package("serin-core", &[("serin-expr", None)]));
        assert_eq!(less, [format!("{LIST}: warning: serin-core may use proptest (dev), but does not")]);
        assert_eq!(messages("", package("serin-new", &[])), [format!("{LIST}: error: lacks the package serin-new")]);
    }

    #[test]
    fn arrows_point_one_way() {
        let wrong = |name: &str, other: &str, kind: Option<&str>| arrows(&package(name, &[(other, kind)])).len();
        assert_eq!(wrong("serin-core", "serin-spec", None), 1);
        assert_eq!(wrong("serin-local", "serin-controller", None), 1);
        assert_eq!(wrong("serin-controller", "serin-local", None), 1);
        assert_eq!(wrong("serin-supervisor", "serin-core", None), 1);
        assert_eq!(wrong("serin-stranger", "serin-core", None), 1);
        assert_eq!(wrong("serin-spec", "serin-core", None), 0);
        assert_eq!(wrong("serin-core", "serin-sim", Some("dev")), 0);
    }

    #[test]
    fn manifests_take_the_lints_of_the_workspace() {
        let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
        let files = [
            file("crates/a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n"),
            file("crates/b/Cargo.toml", "[package]\n"),
            file("Cargo.toml", "[workspace]\n"),
        ];
        let found: Vec<String> = lints(&files).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["crates/b/Cargo.toml"]);
    }
}
