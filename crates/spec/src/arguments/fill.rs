//! Filling in the metrics of a run, at every measurement anew, so that a changed Secret counts and none is stored.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use serin_expr::template;

use super::ArgumentError;
use crate::wire::analysis::{AnalysisRunSpec, SecretKeyRef};
use crate::wire::provider::Metric;

/// What stands in the place of a secret where people can see it.
pub const MASK: &str = "*****";

/// A run's spec ready to be measured, and the secrets in it. Keep it out of everything that is stored or shown.
#[derive(Clone, PartialEq)]
pub struct Filled {
    /// The spec, its metrics without placeholders.
    pub spec: AnalysisRunSpec,
    secrets: Vec<String>,
}

impl Filled {
    /// A text, such as the message of a measurement, without the secrets that were filled in.
    //= compat: 3.2-11
    pub fn redact(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }
}

impl fmt::Debug for Filled {
    /// Names the metrics only: secrets must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metrics: Vec<&String> = self.spec.metrics.iter().map(|m| &m.name).collect();
        f.debug_struct("Filled").field("metrics", &metrics).finish_non_exhaustive()
    }
}

/// Fills in every placeholder of the metrics. `secret` gives the entries of a Secret in the run's namespace.
///
/// # Errors
/// A missing Secret or key, an argument without a value, a placeholder that names no argument. A run with such an error is
/// an error itself, with the message `Unable to resolve metric arguments: ` and this text.
//= compat: 3.2-8, 3.2-9, 3.2-10, 3.2-12
pub fn fill(
    spec: &AnalysisRunSpec,
    secret: &dyn Fn(&str) -> Option<BTreeMap<String, String>>,
) -> Result<Filled, ArgumentError> {
    let mut secrets = Vec::new();
    let spec = fill_with(spec, &mut |reference| {
        let entries = secret(&reference.name).ok_or_else(|| ArgumentError::MissingSecret(reference.name.clone()))?;
        let value = entries
            .get(&reference.key)
            .cloned()
            .ok_or_else(|| ArgumentError::MissingKey { key: reference.key.clone(), secret: reference.name.clone() })?;
        secrets.push(value.clone());
        Ok(value)
    })?;
    // The longest first, so that a secret that holds another is covered whole; an empty one covers nothing.
    secrets.retain(|value| !value.is_empty());
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    Ok(Filled { spec, secrets })
}

/// Fills in every placeholder, but stars for secrets: enough to schedule and to show, and safe to store.
///
/// # Errors
/// As [`fill`], without those of Secrets.
pub fn fill_masked(spec: &AnalysisRunSpec) -> Result<AnalysisRunSpec, ArgumentError> {
    fill_with(spec, &mut |_| Ok(MASK.to_owned()))
}

fn fill_with(
    spec: &AnalysisRunSpec,
    secret: &mut dyn FnMut(&SecretKeyRef) -> Result<String, ArgumentError>,
) -> Result<AnalysisRunSpec, ArgumentError> {
    let mut values = BTreeMap::new();
    for arg in &spec.args {
        let reference = arg.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
        let value = match (reference, &arg.value) {
            (Some(reference), _) => secret(reference)?,
            (None, Some(value)) => value.clone(),
            // Also one with a `fieldRef` in the template: nobody resolves those.
            (None, None) => return Err(ArgumentError::NotSupplied(arg.name.clone())),
        };
        values.insert(arg.name.as_str(), value);
    }
    let metrics = spec.metrics.iter().map(|metric| fill_metric(metric, &values)).collect::<Result<_, _>>()?;
    Ok(AnalysisRunSpec { metrics, ..spec.clone() })
}

/// Fills in every string of a metric, whatever its provider.
fn fill_metric(metric: &Metric, values: &BTreeMap<&str, String>) -> Result<Metric, ArgumentError> {
    let tree = serde_json::to_value(metric).expect("a metric has string keys only");
    let filled = fill_value(tree, values)?;
    Ok(serde_json::from_value(filled).expect("strings that are filled in stay strings"))
}

fn fill_value(value: Value, values: &BTreeMap<&str, String>) -> Result<Value, ArgumentError> {
    Ok(match value {
        Value::String(text) => Value::String(fill_text(&text, values)?),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| fill_value(item, values)).collect::<Result<_, _>>()?)
        }
        Value::Object(entries) => {
            let filled =
                entries.into_iter().map(|(key, value)| Ok((fill_text(&key, values)?, fill_value(value, values)?)));
            Value::Object(filled.collect::<Result<_, ArgumentError>>()?)
        }
        other => other,
    })
}

fn fill_text(text: &str, values: &BTreeMap<&str, String>) -> Result<String, ArgumentError> {
    template::substitute(text, |name| values.get(name).map(String::as_str)).map_err(|error| {
        let span = error.span();
        ArgumentError::Placeholder(text[span.start..span.end].to_owned())
    })
}
