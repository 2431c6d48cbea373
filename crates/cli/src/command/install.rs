//! `serin install`: what the controller needs on a cluster, printed, compared or applied.

use std::process::ExitCode;

use serde_json::{Value, json};
use serin_cluster::resource::{DEFINITION, DEPLOYMENT};
use serin_cluster::{Client, Resource};
use serin_controller::Object;
use serin_controller::install::difference::{Difference, differences};
use serin_controller::install::{self, EvidenceLog, Options, Scope};

use crate::arguments::{Format, Install, Reach};
use crate::error::CliError;
use crate::output;

/// Longest value that a difference shows whole, in characters.
const SHOWN_MAX: usize = 80;

pub(super) async fn run(install: &Install, format: Format) -> Result<ExitCode, CliError> {
    let objects = install::objects(&options(install));
    if !install.apply && !install.diff {
        print(&objects, format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let client = client(&install.reach).await?;
    let mut outcomes = Vec::new();
    for object in &objects {
        outcomes.push(one(&client, object, install.diff).await?);
    }
    if !output::machine(format, &outcomes.iter().map(Outcome::value).collect::<Vec<_>>())? {
        outcomes.iter().for_each(|outcome| output::line(outcome.text()));
    }
    if let Some(warning) = other_controller(&client).await? {
        eprintln!("warning: {warning}");
    }
    Ok(ExitCode::SUCCESS)
}

fn options(install: &Install) -> Options {
    let defaults = Options::default();
    let scope = match &install.namespaced {
        Some(namespace) => Scope::Namespace(namespace.clone()),
        None => Scope::Cluster { secrets: install.secrets_in.clone() },
    };
    let home = install.controller_namespace.as_ref().or(install.namespaced.as_ref());
    Options {
        scope,
        home: home.cloned().unwrap_or(defaults.home),
        image: install.image.clone().unwrap_or(defaults.image),
        replicas: install.replicas,
        instance: install.instance_id.clone(),
        shared: !install.without_crds,
        evidence: install.evidence_log.as_ref().map(|claim| EvidenceLog {
            claim: Some(claim.clone()).filter(|claim| !claim.is_empty()),
            max_mib: install.evidence_log_max,
        }),
    }
}

/// As documents for `kubectl apply --server-side -f -`, or as one list.
pub(super) fn print<'o>(objects: impl IntoIterator<Item = &'o Object>, format: Format) -> Result<(), CliError> {
    if format == Format::Json {
        let items: Vec<&Value> = objects.into_iter().map(|object| &object.0).collect();
        output::machine(format, &json!({ "apiVersion": "v1", "kind": "List", "items": items }))?;
        return Ok(());
    }
    for object in objects {
        output::line(format!("---\n{}", yaml(object)?.trim_end()));
    }
    Ok(())
}

pub(super) fn yaml(object: &Object) -> Result<String, CliError> {
    serde_saphyr::to_string(&object.0).map_err(|e| CliError::Bug(e.to_string()))
}

pub(super) async fn client(reach: &Reach) -> Result<Client, CliError> {
    let options = serin_cluster::Options {
        kubeconfig: reach.kubeconfig.clone(),
        context: reach.kube_context.clone(),
        ..serin_cluster::Options::default()
    };
    Ok(Client::new(&options).await?)
}

/// What became of one object, or would.
struct Outcome {
    object: String,
    what: &'static str,
    changes: Vec<Difference>,
}

impl Outcome {
    fn text(&self) -> String {
        let mut text = format!("{}: {}", self.object, self.what);
        for change in &self.changes {
            text += &format!("\n  {}: {} -> {}", change.path, shown(change.now.as_ref()), shown(change.then.as_ref()));
        }
        text
    }

    fn value(&self) -> Value {
        let change = |c: &Difference| json!({ "path": c.path, "now": c.now, "then": c.then });
        json!({
            "object": self.object,
            "outcome": self.what.split(':').next(),
            "changes": self.changes.iter().map(change).collect::<Vec<_>>(),
        })
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "absent".to_owned(), Value::to_string);
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// Applies one object, or asks what that would change. A definition that is not ours stays as it is.
async fn one(client: &Client, object: &Object, dry: bool) -> Result<Outcome, CliError> {
    let resource = Resource::find(object.api_version(), object.kind())
        .ok_or_else(|| CliError::Bug(format!("no resource for {}", object.kind())))?;
    let named = match object.namespace() {
        "" => format!("{} {}", object.kind(), object.name()),
        namespace => format!("{} {namespace}/{}", object.kind(), object.name()),
    };
    let outcome = |what, changes| Outcome { object: named, what, changes };
    let now = client.get(resource, object.namespace(), object.name()).await?;
    let Some(now) = now else {
        if dry {
            return Ok(outcome("would be created", Vec::new()));
        }
        client.apply(object, true, false).await?;
        return Ok(outcome("created", Vec::new()));
    };
    if resource == DEFINITION && !install::is_ours(&now) {
        return Ok(outcome("left as it is: it was installed by somebody else, and works as well", Vec::new()));
    }
    let then = client.apply(object, true, dry).await?;
    let changes = differences(&now, &then);
    Ok(match (changes.is_empty(), dry) {
        (true, _) => outcome("unchanged", changes),
        (false, true) => outcome("would be changed", changes),
        (false, false) => outcome("changed", changes),
    })
}

/// Two controllers on the same rollouts undo each other's work.
async fn other_controller(client: &Client) -> Result<Option<String>, CliError> {
    const NAME: &str = "argo-rollouts";
    let found = client.get(DEPLOYMENT, NAME, NAME).await?;
    let runs = found.is_some_and(|found| found.0["spec"]["replicas"].as_u64().unwrap_or(1) > 0);
    Ok(runs.then(|| {
        format!(
            "Argo's controller runs in namespace {NAME}: stop it before this one drives the same rollouts \
             (kubectl -n {NAME} scale deployment {NAME} --replicas=0)"
        )
    }))
}
