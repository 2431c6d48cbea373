//! An account of an installation that begins with less than it is given there, and gets what the API server refuses it. What it
//! has in the end is needed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serin_e2e::{Cluster, Namespace};

use crate::web::WHOLE;

/// One permission: group, resource, verb.
pub(crate) type Right = (String, String, String);

/// The account, with the role that is in question.
pub(crate) struct Account<'n> {
    namespace: &'n Namespace,
    kubeconfig: PathBuf,
    /// Its kind and name.
    role: [String; 2],
    /// How its controllers are started.
    words: Vec<String>,
    /// What the installation gives it.
    allowed: BTreeSet<Right>,
    /// What it has by now.
    granted: BTreeSet<Right>,
}

impl<'n> Account<'n> {
    /// The account of an installation for this namespace alone, without any permission in it.
    pub(crate) fn of_namespace(cluster: &Cluster, namespace: &'n Namespace) -> Self {
        let words = ["--namespaced", "--namespace", namespace.name()];
        install(cluster, &["--namespaced", namespace.name()]);
        Self::with_role(cluster, namespace, "serin", ["role", "serin"], &words, |_| true)
    }

    /// The same, but only without those on the lock of the leader.
    pub(crate) fn of_the_lock(cluster: &Cluster, namespace: &'n Namespace) -> Self {
        let words = ["--namespaced", "--namespace", namespace.name()];
        install(cluster, &["--namespaced", namespace.name()]);
        Self::with_role(cluster, namespace, "serin", ["role", "serin-leader"], &words, |_| true)
    }

    /// The account of an installation for the whole cluster, without the permissions that are doubted. It is an instance of its own,
    /// so that it drives nothing of other tests.
    pub(crate) fn of_cluster(
        cluster: &Cluster,
        home: &'n Namespace,
        instance: &str,
        doubted: impl Fn(&Right) -> bool,
    ) -> Self {
        let name = format!("serin-{instance}");
        install(cluster, &["--controller-namespace", home.name(), "--instance-id", instance]);
        let words = ["--instance-id", instance];
        Self::with_role(cluster, home, &name, ["clusterrole", &name], &words, doubted)
    }

    fn with_role(
        cluster: &Cluster,
        namespace: &'n Namespace,
        account: &str,
        role: [&str; 2],
        words: &[&str],
        doubted: impl Fn(&Right) -> bool,
    ) -> Self {
        let allowed = rights(&namespace.object(role[0], role[1]).unwrap());
        let granted = allowed.iter().filter(|right| !doubted(right)).cloned().collect();
        let token = namespace.kubectl(&["create", "token", account, "--duration=1h"]);
        let kubeconfig = cluster.kubeconfig_of_token(namespace.name(), token.trim());
        // A refused event stops nothing, so only a talkative controller tells of it.
        let words = words.iter().chain(&["--loglevel=debug"]).map(|word| (*word).to_owned()).collect();
        let account = Self { namespace, kubeconfig, role: role.map(str::to_owned), words, allowed, granted };
        account.grant();
        account
    }

    /// Further arguments of its controllers.
    pub(crate) fn with(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Makes what it has its role.
    fn grant(&self) {
        let rule =
            |(group, resource, verb): &Right| json!({ "apiGroups": [group], "resources": [resource], "verbs": [verb] });
        let rules: Vec<Value> = self.granted.iter().map(rule).collect();
        let patch = json!({ "rules": rules }).to_string();
        self.namespace.kubectl(&["patch", &self.role[0], &self.role[1], "--type=merge", "-p", &patch]);
    }

    /// Lets one controller after the other work, each with what the former was refused, until `done`.
    pub(crate) fn grow(&mut self, done: impl Fn() -> bool) {
        let begun = Instant::now();
        let words = self.words.clone();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // Where its lock is, if it has one.
        let environment = [("POD_NAMESPACE", self.namespace.name())];
        loop {
            let mut controller = self.namespace.controller_with(&self.kubeconfig, &words, &environment);
            loop {
                assert!(
                    begun.elapsed() < WHOLE * 2,
                    "not done; never asked for {:#?}\n{}",
                    self.unused(),
                    controller.log()
                );
                let (lives, over) = (controller.is_running(), done());
                let new = self.news(&controller.log());
                if new.is_empty() && over {
                    return;
                }
                if !new.is_empty() || !lives {
                    self.granted.extend(new);
                    self.grant();
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }

    /// What it was refused and does not have yet. A refusal may be of a moment before the last grant was known everywhere.
    fn news(&self, log: &str) -> BTreeSet<Right> {
        // What a run was refused is told by its measurements alone.
        let told = log.to_owned() + &self.namespace.kubectl(&["get", "analysisruns", "-o", "json"]);
        let new: BTreeSet<Right> = refused(&told).difference(&self.granted).cloned().collect();
        let missing: Vec<&Right> = new.difference(&self.allowed).collect();
        assert!(missing.is_empty(), "asks for what the installation does not grant: {missing:?}");
        new
    }

    /// What the installation gives it and it was never refused, since it never asked.
    fn unused(&self) -> Vec<&Right> {
        self.allowed.difference(&self.granted).collect()
    }

    /// Nothing was installed in vain.
    pub(crate) fn assert_all_needed(&self) {
        assert_eq!(self.unused(), Vec::<&Right>::new(), "needed are {:#?}", self.granted);
    }
}

/// Installs, but for the Deployment: the controllers are those of the test.
fn install(cluster: &Cluster, words: &[&str]) {
    let mut command = Command::new(Cluster::built("serin"));
    command.args(["install", "-o", "json", "--without-crds", "--image", "serin/serin:dev"]).args(words);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut list: Value = serde_json::from_slice(&output.stdout).unwrap();
    list["items"].as_array_mut().unwrap().retain(|object| object["kind"] != "Deployment");
    cluster.apply(&list.to_string());
}

/// What a role allows.
fn rights(role: &Value) -> BTreeSet<Right> {
    let texts = |rule: &Value, what: &str| -> Vec<String> {
        rule[what].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in &texts(rule, "apiGroups") {
            for resource in &texts(rule, "resources") {
                all.extend(texts(rule, "verbs").into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    all
}

/// Every refusal that a text tells of, as the API server words them.
fn refused(text: &str) -> BTreeSet<Right> {
    let of_line = |line: &str| {
        line.split("cannot ").skip(1).filter_map(asked).chain(blocked(line)).chain(owned(line)).collect::<Vec<_>>()
    };
    text.lines().flat_map(of_line).collect()
}

/// What stands behind "cannot".
fn asked(part: &str) -> Option<Right> {
    let quoted = |text: &str| text.split(['"', '\\']).find(|part| !part.is_empty()).unwrap_or_default().to_owned();
    let (verb, rest) = part.split_once(" resource ")?;
    let group = rest.split_once("API group ").map(|(_, group)| group)?;
    let empty = group.trim_start_matches('\\').starts_with("\"\"") || group.starts_with("\\\"\\\"");
    Some((if empty { String::new() } else { quoted(group) }, quoted(rest), verb.to_owned()))
}

/// The owner that an object may not keep from being deleted. The server does not name it: it is the object that the pass was
/// over, or the run whose measurement has the words.
fn blocked(line: &str) -> Option<Right> {
    line.split_once("a resource you can't set finalizers on")?;
    let kind = match line.split_once("object=") {
        Some((_, object)) => object.split(' ').next()?.to_lowercase(),
        None if line.trim_start().starts_with("\"message\":") => "analysisrun".to_owned(),
        None => return None,
    };
    Some(("argoproj.io".to_owned(), format!("{kind}s/finalizers"), "update".to_owned()))
}

/// What may not be given an owner by whoever may not delete it.
fn owned(line: &str) -> Option<Right> {
    let (what, _) = line.split_once(" is forbidden: cannot set an ownerRef on a resource you can't delete")?;
    let (resource, group) = what.rsplit(' ').nth(1)?.trim_start_matches('"').split_once('.')?;
    Some((group.to_owned(), resource.to_owned(), "delete".to_owned()))
}

#[test]
fn refusals_are_read() {
    let right = |group: &str, resource: &str, verb: &str| -> Right { (group.into(), resource.into(), verb.into()) };
    let said = r#"failed to patch Rollout a/web: rollouts.argoproj.io "web" is forbidden: User "u" cannot patch resource "rollouts/status" in API group "argoproj.io" in the namespace "a""#;
    assert_eq!(refused(said), [right("argoproj.io", "rollouts/status", "patch")].into());
    let in_json = r#"secrets \"path\" is forbidden: User \"u\" cannot get resource \"secrets\" in API group \"\" in the namespace \"a\""#;
    assert_eq!(refused(in_json), [right("", "secrets", "get")].into());
    assert_eq!(refused("cannot say"), BTreeSet::new());

    let blocked = "is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>";
    let of_pass = format!(
        "WARN a pass failed object=Experiment a/b error=failed to create Service a/c: services \"c\" {blocked} wait=1s"
    );
    assert_eq!(refused(&of_pass), [right("argoproj.io", "experiments/finalizers", "update")].into());
    let of_run = format!("  \"message\": \"failed to create Job a/d: jobs.batch \\\"d\\\" {blocked}\",");
    assert_eq!(refused(&format!("{said}\n{of_run}\n")), {
        let finalizers = right("argoproj.io", "analysisruns/finalizers", "update");
        [finalizers, right("argoproj.io", "rollouts/status", "patch")].into()
    });
    assert_eq!(refused(blocked), BTreeSet::new(), "whose it is is not said");

    let owned =
        "replicasets.apps \"web-1\" is forbidden: cannot set an ownerRef on a resource you can't delete: , <nil>";
    let of_pass =
        format!("WARN a pass failed object=Rollout a/web error=failed to patch ReplicaSet a/web-1: {owned} wait=1s");
    assert_eq!(refused(&of_pass), [right("apps", "replicasets", "delete")].into());
    assert_eq!(
        refused(&format!("DEBUG Status {{ message: \"{owned}\" }}")),
        [right("apps", "replicasets", "delete")].into()
    );
}
