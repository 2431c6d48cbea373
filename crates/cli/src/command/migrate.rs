//! `serin migrate`: what takes the place of a Deployment, and the move of a running one.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serin_cluster::resource::{AUTOSCALER, DEPLOYMENT, GRPC_ROUTE, HTTP_ROUTE, INGRESS, ROLLOUT, SERVICE};
use serin_cluster::{Class, Client};
use serin_controller::Object;
use serin_controller::migrate::{self, Migration, Options, Refusal, Seen, Step};
use serin_spec::Source;

use super::install::{client, print, yaml};
use super::lint;
use crate::arguments::{Format, MigrateDeployment, Strategy};
use crate::error::CliError;
use crate::output;

/// How often it is looked whether what a step waits for is so.
const POLL: Duration = Duration::from_secs(1);

pub(super) async fn run(asked: &MigrateDeployment, format: Format) -> Result<ExitCode, CliError> {
    let options = Options {
        strategy: match asked.strategy {
            Strategy::Canary => migrate::Strategy::Canary,
            Strategy::BlueGreen => migrate::Strategy::BlueGreen,
        },
        workload_ref: asked.workload_ref,
        service: asked.service.clone(),
    };
    if !asked.files.is_empty() {
        let objects = read(asked)?;
        let deployment = one(asked, &objects)?;
        let migration = migrated(&deployment, &objects, &options)?;
        return show(&migration, &objects, format);
    }
    let client = client(&asked.reach).await?;
    let name = asked.name.clone().unwrap_or_default();
    let namespace = asked.namespace.clone().unwrap_or_else(|| client.namespace().to_owned());
    let mover = Mover { client, namespace, name, options, delete: asked.delete };
    if asked.apply {
        return mover.go(Duration::from_secs(asked.timeout), format).await;
    }
    let seen = mover.seen().await?;
    let migration = mover.migration(&seen)?;
    if asked.plan {
        let steps = mover.steps(&migration, &seen)?;
        return tell(&migration, &steps, format);
    }
    show(&migration, &seen.others, format)
}

/// The objects of the files; lists are taken apart.
fn read(asked: &MigrateDeployment) -> Result<Vec<Object>, CliError> {
    let (sources, problems) = serin_spec::read::files(&asked.files);
    lint::refuse(&problems, &sources, "read")?;
    let mut objects = Vec::new();
    for source in &sources {
        let documents: Vec<Value> = serde_saphyr::from_multiple(&source.text)
            .map_err(|e| CliError::Manifests(format!("error: {}: {e}", source.name)))?;
        for mut document in documents {
            match document["items"].take() {
                Value::Array(items) if document["kind"] == "List" => objects.extend(items.into_iter().map(Object)),
                _ => objects.push(Object(document)),
            }
        }
    }
    Ok(objects)
}

/// The Deployment that is meant.
fn one(asked: &MigrateDeployment, objects: &[Object]) -> Result<Object, CliError> {
    let named = |object: &&Object| asked.name.as_deref().is_none_or(|name| object.name() == name);
    let all: Vec<&Object> = objects.iter().filter(|object| object.kind() == "Deployment").filter(named).collect();
    match all.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(CliError::usage("the files hold no such Deployment", "name the files that hold it with -f")),
        many => {
            let names: Vec<&str> = many.iter().map(|object| object.name()).collect();
            let hint = format!("name one of them: {}", names.join(", "));
            Err(CliError::usage("the files hold several Deployments", hint))
        }
    }
}

fn migrated(deployment: &Object, others: &[Object], options: &Options) -> Result<Migration, CliError> {
    migrate::migrate(deployment, others, options).map_err(|refusal| {
        let hint = match &refusal {
            Refusal::ManyServices(_) => "say which one takes the requests: --service NAME",
            Refusal::NoService | Refusal::OtherService(_) => "give the file that holds it with -f as well",
            Refusal::Kind(_) => "only Deployments become Rollouts",
        };
        CliError::usage(refusal.to_string(), hint)
    })
}

/// Prints the objects, their notes beside them, once nothing is wrong with them.
fn show(migration: &Migration, given: &[Object], format: Format) -> Result<ExitCode, CliError> {
    check(migration, given)?;
    let Migration { rollout, services, routes, autoscalers, notes } = migration;
    let objects = services.iter().chain(routes).chain([rollout]).chain(autoscalers);
    print(objects, format)?;
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    Ok(ExitCode::SUCCESS)
}

/// What `serin lint` says of the new objects among those that were given.
fn check(migration: &Migration, given: &[Object]) -> Result<(), CliError> {
    let changed: Vec<&Object> = migration.routes.iter().chain(&migration.autoscalers).collect();
    let replaced =
        |object: &&Object| changed.iter().any(|new| new.kind() == object.kind() && new.name() == object.name());
    let mut text = String::new();
    let new = migration.services.iter().chain([&migration.rollout]).chain(changed.iter().copied());
    for object in new.chain(given.iter().filter(|object| !replaced(object))) {
        text += "---\n";
        text += &yaml(object)?;
    }
    let sources = [Source::new("migrated", text)];
    let (_, mut problems) = serin_local::check_for_cluster(&sources);
    problems.retain(|problem| problem.is_error() && problem.object.starts_with("Rollout "));
    lint::refuse(&problems, &sources, "printed")
}

fn tell(migration: &Migration, steps: &[Step], format: Format) -> Result<ExitCode, CliError> {
    let machine = |step: &Step| match step {
        Step::Write { what, .. } => json!({ "write": what }),
        Step::Wait { until } => json!({ "wait": until }),
    };
    if !output::machine(format, &steps.iter().map(machine).collect::<Vec<_>>())? {
        for (i, step) in steps.iter().enumerate() {
            output::line(format!("{:>2}. {}", i + 1, words(step)));
        }
        if steps.is_empty() {
            output::line("nothing is left to do");
        }
    }
    migration.notes.iter().for_each(|note| eprintln!("note: {note}"));
    Ok(ExitCode::SUCCESS)
}

fn words(step: &Step) -> String {
    match step {
        Step::Write { what, .. } => what.clone(),
        Step::Wait { until } => format!("wait until {until}"),
    }
}

/// Wait before pods of the Deployment go: routers hear of a Service's new pods later than the API server does.
const SETTLE: Duration = Duration::from_secs(3);

/// A move of one Deployment.
struct Mover {
    client: Client,
    namespace: String,
    name: String,
    options: Options,
    delete: bool,
}

impl Mover {
    async fn seen(&self) -> Result<Seen, CliError> {
        let (namespace, name) = (&self.namespace, &self.name);
        let deployment = self.client.get(DEPLOYMENT, namespace, name).await?;
        let rollout = self.client.get(ROLLOUT, namespace, name).await?;
        let mut others = Vec::new();
        for resource in [SERVICE, INGRESS, HTTP_ROUTE, GRPC_ROUTE, AUTOSCALER] {
            match self.client.list(resource, Some(namespace), "").await {
                Ok(found) => others.extend(found),
                // A cluster without routes has none in front of this.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Seen { deployment, rollout, others })
    }

    /// What takes its place. Once the Deployment is gone the Rollout itself says what it was made with.
    fn migration(&self, seen: &Seen) -> Result<Migration, CliError> {
        match (&seen.deployment, &seen.rollout) {
            (Some(deployment), _) => migrated(deployment, &seen.others, &self.options),
            (None, Some(rollout)) => Ok(Migration {
                rollout: rollout.clone(),
                services: Vec::new(),
                routes: Vec::new(),
                autoscalers: Vec::new(),
                notes: Vec::new(),
            }),
            (None, None) => Err(CliError::usage(
                format!("there is no Deployment {} in namespace {}", self.name, self.namespace),
                "name the namespace with --namespace, or files with -f",
            )),
        }
    }

    fn steps(&self, migration: &Migration, seen: &Seen) -> Result<Vec<Step>, CliError> {
        let steps = migrate::plan(migration, seen, &self.options, self.delete);
        steps.map_err(|blocked| CliError::usage(blocked.to_string(), "nothing was changed by this step"))
    }

    /// Takes the next step of a plan that is made anew each time, until none is left.
    async fn go(&self, timeout: Duration, format: Format) -> Result<ExitCode, CliError> {
        let mut begun = Instant::now();
        let mut waiting = String::new();
        let mut done = Vec::new();
        loop {
            let seen = self.seen().await?;
            let migration = self.migration(&seen)?;
            let steps = self.steps(&migration, &seen)?;
            let Some(step) = steps.first() else { break };
            let text = words(step);
            let say = |text: &str| {
                if format == Format::Text {
                    output::tell(text);
                }
            };
            match step {
                Step::Write { write, .. } => {
                    if write.target.kind == DEPLOYMENT.kind {
                        tokio::time::sleep(SETTLE).await;
                    }
                    match self.client.send(write).await {
                        Ok(_) => say(&text),
                        // Somebody else was faster; what is there now decides the next step.
                        Err(error) if error.class() == Class::Conflict => {}
                        Err(error) => return Err(error.into()),
                    }
                    done.push(text);
                    waiting.clear();
                }
                Step::Wait { .. } => {
                    if waiting != text {
                        say(&text);
                        waiting.clone_from(&text);
                        begun = Instant::now();
                    }
                    if begun.elapsed() > timeout {
                        let seconds = timeout.as_secs();
                        return Err(CliError::Rollout(format!(
                            "after {seconds} s it is not so yet: {text}. The same command takes the move up again"
                        )));
                    }
                    tokio::time::sleep(POLL).await;
                }
            }
        }
        if !output::machine(format, &done)? {
            output::line(format!("Rollout {} has taken the Deployment's place", self.name));
        }
        Ok(ExitCode::SUCCESS)
    }
}
