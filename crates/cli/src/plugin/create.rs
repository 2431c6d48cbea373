//! `create`: objects from files, and analysis runs from templates.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serin_cluster::resource::{ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE};
use serin_controller::{Object, Write};
use serin_kubectl::create::{self, CreateError, RunOf};
use serin_spec::wire::analysis::AnalysisTemplateSpec;
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::{Source, read};

use super::arguments::{Create, CreateRun, GetOne, GetRollout};
use super::{PluginError, get};
use crate::cluster::{Cluster, missing};
use crate::error::CliError;
use crate::output::line;

//= compat: 7.6-2
pub(super) async fn files(cluster: &Cluster, asked: &Create) -> Result<ExitCode, PluginError> {
    let mut writes: Vec<Write> = Vec::new();
    // All are read before the first is created, so that a slip in one leaves nothing half done.
    for path in &asked.files {
        writes.extend(create::objects(&source(path)?, &cluster.namespace)?);
    }
    if asked.watch && writes.len() > 1 {
        return Err(PluginError::Said("Cannot watch multiple resources".to_owned()));
    }
    let mut last = Object::default();
    for write in &writes {
        last = cluster.client.send(write).await?.unwrap_or_default();
        line(create::created(&write.target.kind, last.name()));
    }
    if !asked.watch {
        return Ok(ExitCode::SUCCESS);
    }
    let one = GetOne { name: last.name().to_owned(), watch: true, no_color: asked.no_color };
    let cluster = Cluster { namespace: last.namespace().to_owned(), ..cluster.clone() };
    match last.kind() {
        "Rollout" => get::rollout(&cluster, &GetRollout { one, timeout_seconds: 0 }).await,
        "Experiment" => get::experiment(&cluster, &one).await,
        _ => Err(PluginError::Said("Can only watch resources of type Rollout or Experiment".to_owned())),
    }
}

/// The text of a file.
pub(super) fn source(path: &Path) -> Result<Source, PluginError> {
    let text = std::fs::read_to_string(path).map_err(CliError::io(format!("read {}", path.display())))?;
    Ok(Source::new(path.display().to_string(), text))
}

//= compat: 7.6-3
pub(super) async fn run(cluster: &Cluster, asked: &CreateRun) -> Result<ExitCode, PluginError> {
    let template = match (&asked.from, &asked.from_file) {
        (Some(name), None) => {
            let kind = if asked.global { CLUSTER_ANALYSIS_TEMPLATE } else { ANALYSIS_TEMPLATE };
            let found = cluster.get(kind, name).await?;
            found.ok_or_else(|| missing(&kind.target(&cluster.namespace, name)))?
        }
        (None, Some(path)) => {
            let source = source(path)?;
            let first = read::objects(std::slice::from_ref(&source)).into_iter().next();
            Object(first.ok_or(CreateError::Empty(source.name))?)
        }
        _ => return Err(PluginError::Said("one of --from or --from-file must be specified".to_owned())),
    };
    let named = nested(cluster, &template).await?;
    let find = |reference: &AnalysisTemplateRef| named.get(&key(reference));
    let of = RunOf {
        arguments: &asked.arguments,
        name: asked.name.as_deref(),
        generate_name: asked.generate_name.as_deref(),
        namespace: &cluster.namespace,
        instance: asked.instance_id.as_deref(),
    };
    let run = create::analysis_run(&template.0, &find, &of)?;
    for name in &run.unknown {
        eprintln!("Warning: the template declares no argument {name:?}: it is left out");
    }
    let made = cluster.client.send(&run.write).await?.unwrap_or_default();
    line(create::created("AnalysisRun", made.name()));
    Ok(ExitCode::SUCCESS)
}

/// Whether a template is one of the cluster, and its name.
type Key = (bool, String);

fn key(reference: &AnalysisTemplateRef) -> Key {
    (reference.is_cluster_scope(), reference.template_name.clone())
}

/// The templates that a template names, and those that they name.
async fn nested(cluster: &Cluster, template: &Object) -> Result<BTreeMap<Key, AnalysisTemplateSpec>, PluginError> {
    let mut known = BTreeMap::new();
    let mut ahead = create::spec(&template.0)?.templates;
    while let Some(reference) = ahead.pop() {
        if known.contains_key(&key(&reference)) {
            continue;
        }
        let kind = if reference.is_cluster_scope() { CLUSTER_ANALYSIS_TEMPLATE } else { ANALYSIS_TEMPLATE };
        // One that is missing is told when the run is put together.
        let Some(found) = cluster.get(kind, &reference.template_name).await? else { continue };
        let spec = create::spec(&found.0)?;
        ahead.extend(spec.templates.clone());
        known.insert(key(&reference), spec);
    }
    Ok(known)
}
