//! The controller's account, its roles and their bindings.

use serde_json::{Value, json};

use super::permission::{Reach, TABLE};
use super::{Options, Scope, object, with};
use crate::object::Object;

const GROUP: &str = "rbac.authorization.k8s.io";
const VERSION: &str = "rbac.authorization.k8s.io/v1";

/// Account, roles and bindings. The role on secrets is bound in single namespaces only, so that no secret of another one can be
/// read, whatever is wrong with the controller.
pub(super) fn objects(options: &Options) -> Vec<Object> {
    let name = options.name();
    let (secrets_name, leader) = (format!("{name}-secrets"), format!("{name}-leader"));
    let mut account = object("v1", "ServiceAccount", Some(&options.home), &name);
    // The one pod that needs its token asks for it; nothing else that may run under this account gets one by default.
    account.0["automountServiceAccountToken"] = false.into();
    let mut objects = vec![account];
    let home = Some(options.home.as_str());
    match &options.scope {
        Scope::Cluster { secrets } => {
            objects.push(role(None, &name, rules(options, &[Reach::Watched, Reach::Cluster])));
            objects.push(binding(options, None, &name, "ClusterRole"));
            objects.push(role(None, &secrets_name, rules(options, &[Reach::Secrets])));
            objects.extend(secrets.iter().map(|of| binding(options, Some(of), &secrets_name, "ClusterRole")));
        }
        Scope::Namespace(namespace) => {
            let of = Some(namespace.as_str());
            objects.push(role(of, &name, rules(options, &[Reach::Watched, Reach::Secrets])));
            objects.push(binding(options, of, &name, "Role"));
        }
    }
    objects.push(role(home, &leader, rules(options, &[Reach::Home, Reach::Lock])));
    objects.push(binding(options, home, &leader, "Role"));
    objects
}

/// The rules of these reaches, in the order of the table.
fn rules(options: &Options, reaches: &[Reach]) -> Value {
    let lock = options.lock();
    TABLE.iter().filter(|line| reaches.contains(&line.reach)).map(|line| line.rule(&lock)).collect()
}

fn role(namespace: Option<&str>, name: &str, rules: Value) -> Object {
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    with(object(VERSION, kind, namespace, name), json!({ "rules": rules }))
}

fn binding(options: &Options, namespace: Option<&str>, role: &str, kind: &str) -> Object {
    let binding = if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
    let fields = json!({
        "roleRef": { "apiGroup": GROUP, "kind": kind, "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": options.name(), "namespace": options.home }],
    });
    with(object(VERSION, binding, namespace, role), fields)
}
