//! The spec of a run of an experiment: its arguments may speak of the experiment's versions and times.

use serin_core::experiment::{ExperimentStatus, pool_name};
use serin_core::{Hash, Span, Time};

use super::{ArgumentError, compose, instantiate};
use crate::wire::analysis::{AnalysisRunSpec, AnalysisTemplateSpec, Argument};
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::experiment::{Experiment, ExperimentAnalysis};
use crate::{duration, timestamp};

/// The spec of the run of one of an experiment's analyses. `find` looks a template up in the experiment's namespace, or
/// among the cluster's. Arguments from elsewhere than a value are left to the template, as in the original.
///
/// # Errors
/// A template that is missing, a placeholder that names nothing, an argument without a value.
//= compat: 5.3-9, 5.3-10
pub fn experiment_run_spec<'t>(
    experiment: &Experiment,
    analysis: &ExperimentAnalysis,
    status: &ExperimentStatus,
    find: &dyn Fn(&AnalysisTemplateRef) -> Option<&'t AnalysisTemplateSpec>,
) -> Result<AnalysisRunSpec, ArgumentError> {
    let reference =
        AnalysisTemplateRef { template_name: analysis.template_name.clone(), cluster_scope: analysis.cluster_scope };
    let template = compose(std::slice::from_ref(&reference), find)?;
    let argument = |arg: &Argument| {
        let value = arg.value.as_deref().map(|text| filled(text, experiment, status)).transpose()?;
        Ok(Argument { name: arg.name.clone(), value, value_from: None })
    };
    let args = analysis.args.iter().map(argument).collect::<Result<Vec<_>, _>>()?;
    instantiate(&template, &args, &experiment.spec.dry_run, &experiment.spec.measurement_retention)
}

fn filled(text: &str, experiment: &Experiment, status: &ExperimentStatus) -> Result<String, ArgumentError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let open = || ArgumentError::Placeholder(rest[start..].to_owned());
        let length = rest[start..].find("}}").ok_or_else(open)?;
        let name = rest[start + 2..start + length].trim();
        let value = lookup(name, experiment, status);
        let whole = &rest[start..start + length + 2];
        out.push_str(&rest[..start]);
        out.push_str(&value.ok_or_else(|| ArgumentError::Placeholder(whole.to_owned()))?);
        rest = &rest[start + length + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

fn lookup(name: &str, experiment: &Experiment, status: &ExperimentStatus) -> Option<String> {
    let moment = |time: Time| timestamp::format(Time::from_secs(time.as_secs()));
    match name {
        "experiment.availableAt" => status.available_at.map(moment),
        "experiment.finishedAt" => {
            let length = experiment.spec.duration.as_deref().and_then(|text| duration::parse_ms(text).ok())?;
            status.available_at.map(|at| moment(at + Span::from_millis(length)))
        }
        _ => {
            let (template, field) = name.strip_prefix("templates.")?.split_once('.')?;
            let known = experiment.spec.templates.iter().any(|t| t.name == template);
            match field {
                "podTemplateHash" => status.template(template)?.hash.as_ref().map(Hash::to_string),
                "replicaset.name" if known => Some(pool_name(experiment.metadata.name(), template)),
                _ => None,
            }
        }
    }
}
