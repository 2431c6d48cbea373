//! From the core to the wire: what a decision returned becomes the status that people and tools read.
//!
//! Everything in the core's statuses has a field of its own in Argo's, so what is raised and lowered again is equal as long
//! as times lie within the calendar and counts within 31 bits. What the wire form holds besides, of other strategies or
//! of metric providers, is taken over from the former status.

mod analysis;
mod experiment;
mod image;
mod run;
mod status;

pub use analysis::run_status;
pub use experiment::{Versions, experiment, experiment_owner, experiment_run, experiment_status};
pub use image::{ImageError, rollout_with_image};
pub use run::{analysis_run, owner};
pub use status::{selector, status};

/// A point in time as it stands in objects.
pub fn time(core: serin_core::Time) -> String {
    crate::timestamp::format(core)
}

/// An empty text is left out, as Argo does.
fn text(core: &str) -> Option<String> {
    (!core.is_empty()).then(|| core.to_owned())
}
