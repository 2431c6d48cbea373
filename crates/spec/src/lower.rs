//! From the wire to the core: objects that passed validation become the core's own values, with every default filled in.
//!
//! Lowering cannot fail. Should something come along that validation would have refused, the careful reading is taken: what
//! cannot be carried out holds the rollout until a person comes, and never lets it go on by itself.

mod analysis;
mod experiment;
mod rollout;
mod status;
mod steps;

pub use analysis::{invalid, run_spec, run_status, ttl};
pub use experiment::{experiment, experiment_status};
pub(crate) use rollout::amount;
pub use rollout::rollout;
pub use status::status;
pub(crate) use steps::pause_span;
pub use steps::steps;
