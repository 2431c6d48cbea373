//! The rules of Argo Rollouts for one Rollout, in its own words (section 8 of the reference).

mod canary;
mod experiment;
mod local;
mod pod;
mod selector;
mod spec;
mod step;
mod templates;

pub use canary::PING_PONG_UNSUPPORTED;
pub use experiment::experiment;
pub(crate) use experiment::is_template_name;
pub use step::{EXPERIMENT_WEIGHT_UNSUPPORTED, HEADER_ROUTE_UNSUPPORTED, MIRROR_ROUTE_UNSUPPORTED};

use std::fmt;

use serde::Serialize;

use crate::wire::Rollout;

pub use local::local;
pub(crate) use step::metadata_field_exists;
pub use templates::{NO_ROUTER_COUNTS, templates, uncounted};

/// The sort of a [`FieldError`], as Kubernetes calls it.
//= compat: 8.1-1
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ErrorType {
    /// A field is missing.
    #[serde(rename = "FieldValueRequired")]
    Required,
    /// A value is not allowed.
    #[serde(rename = "FieldValueInvalid")]
    Invalid,
    /// A value is none of the known ones.
    #[serde(rename = "FieldValueNotSupported")]
    NotSupported,
    /// A field must not be set here.
    #[serde(rename = "FieldValueForbidden")]
    Forbidden,
    /// Two values that must differ are equal.
    #[serde(rename = "FieldValueDuplicate")]
    Duplicate,
    /// Settings contradict each other.
    #[serde(rename = "InternalError")]
    Internal,
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorType::Required => "Required value",
            ErrorType::Invalid => "Invalid value",
            ErrorType::NotSupported => "Unsupported value",
            ErrorType::Forbidden => "Forbidden",
            ErrorType::Duplicate => "Duplicate value",
            ErrorType::Internal => "Internal error",
        })
    }
}

/// What Argo refuses with nginx, and the embedded router carries whatever router a manifest names.
pub const CARRIED_ON_ONE_MACHINE: [&str; 4] =
    [HEADER_ROUTE_UNSUPPORTED, MIRROR_ROUTE_UNSUPPORTED, PING_PONG_UNSUPPORTED, EXPERIMENT_WEIGHT_UNSUPPORTED];

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The sort of error.
    #[serde(rename = "type")]
    pub kind: ErrorType,
    /// The field as Argo names it, which leaves out the strategy: `spec.strategy.steps[0].setWeight`.
    pub field: String,
    /// What is wrong, in Argo's words.
    pub detail: String,
    /// The field in the manifest: `spec.strategy.canary.steps[0].setWeight`.
    #[serde(skip)]
    pub path: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.kind)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl FieldError {
    fn new(kind: ErrorType, path: &str, detail: impl Into<String>) -> Self {
        let field = ["spec.strategy.canary.", "spec.strategy.blueGreen."]
            .iter()
            .find_map(|prefix| path.strip_prefix(prefix))
            .map_or_else(|| path.to_owned(), |rest| format!("spec.strategy.{rest}"));
        FieldError { kind, field, detail: detail.into(), path: path.to_owned() }
    }

    fn invalid(path: &str, detail: impl Into<String>) -> Self {
        FieldError::new(ErrorType::Invalid, path, detail)
    }

    fn required(path: &str, detail: impl Into<String>) -> Self {
        FieldError::new(ErrorType::Required, path, detail)
    }
}

/// Every rule that a Rollout breaks on its own, in the order in which Argo finds them (its controller reports only the
/// first). The object is taken as it would be after decoding; what other objects must hold is not asked.
//= compat: 8.1-2, 8.1-8
pub fn rollout(rollout: &Rollout) -> Vec<FieldError> {
    let mut errors = spec::errors(&rollout.spec);
    errors.extend(spec::strategy(&rollout.spec));
    errors
}

/// The rules for the template and selector of a Rollout that has them from another object.
//= compat: 1.3-4
pub fn resolved(rollout: &Rollout) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if rollout.spec.selector.is_none() {
        errors.push(FieldError::required("spec.selector", "Rollout has missing field '.spec.selector'"));
    }
    errors.extend(pod::errors(&rollout.spec));
    errors
}
