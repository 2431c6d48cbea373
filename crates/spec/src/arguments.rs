//! From templates and arguments to a run: composing templates, resolving arguments, filling in `{{args.NAME}}`
//! (sections 3.2, 3.3 and 3.9 of the Argo reference).
//!
//! A run is made in three steps and measured in a fourth: [`compose`] merges the templates of an analysis into one,
//! [`resolve`] turns the rollout's arguments into values, [`instantiate`] makes the run's spec, which is stored. Arguments
//! from Secrets are stored as references only; [`fill`] reads them and fills in the metrics at every measurement.
//! [`Analysis::run_spec`] does the first three at once.

mod analysis;
mod compose;
mod experiment;
mod field;
mod fill;
mod resolve;
mod rules;

use thiserror::Error;

pub use analysis::Analysis;
pub use compose::compose;
pub use experiment::experiment_run_spec;
pub use fill::{Filled, MASK, fill, fill_masked};
pub use resolve::{Environment, instantiate, resolve};
pub(crate) use rules::{rule, selects};

/// Why templates and arguments make no run; the texts are Argo's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArgumentError {
    /// A template that is named does not exist.
    #[error("{kind} '{name}' not found")]
    MissingTemplate {
        /// `AnalysisTemplate` or `ClusterAnalysisTemplate`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Two templates measure under the same name.
    #[error("two metrics have the same name '{0}'")]
    DuplicateMetric(String),
    /// A dry-run rule stands there twice.
    #[error("two Dry-Run metric rules have the same name '{0}'")]
    DuplicateDryRun(String),
    /// A retention rule stands there twice.
    #[error("two Measurement Retention metric rules have the same name '{0}'")]
    DuplicateRetention(String),
    /// Two templates give an argument different values.
    #[error("Argument `{name}` specified multiple times with different values: '{first}', '{second}'")]
    Conflict {
        /// The argument.
        name: String,
        /// One value.
        first: String,
        /// The other.
        second: String,
    },
    /// Nobody gives the argument a value.
    #[error("args.{0} was not resolved")]
    NotResolved(String),
    /// The argument has no value when it is needed.
    #[error("argument \"{0}\" was not supplied")]
    NotSupplied(String),
    /// A placeholder names no argument, or its braces have no end; the text is what stands there.
    #[error("failed to resolve {0}")]
    Placeholder(String),
    /// A field of the rollout cannot be read.
    #[error("invalid path {0} in rollout")]
    InvalidPath(String),
    /// A list of the rollout is asked for something that is no index.
    #[error("invalid index '{0}'")]
    InvalidIndex(String),
    /// A list of the rollout is too short.
    #[error("index {0} out of range")]
    OutOfRange(usize),
    /// A path ends in an object or a list.
    #[error("path {0} in rollout must terminate in a primitive value")]
    NotPrimitive(String),
    /// A path into the metadata that is none of the known ones.
    #[error("unsupported fieldPath: {0}")]
    UnsupportedPath(String),
    /// The Secret does not exist.
    #[error("secrets \"{0}\" not found")]
    MissingSecret(String),
    /// The Secret lacks the key.
    #[error("key '{key}' does not exist in secret '{secret}'")]
    MissingKey {
        /// The key.
        key: String,
        /// The Secret.
        secret: String,
    },
}
