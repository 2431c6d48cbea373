//! The controller on a cluster, the part that waits: client, watches, writes and the loop around the decisions.

mod affected;
mod apply;
pub mod calls;
pub mod client;
pub mod controller;
mod election;
pub mod error;
mod evidence;
pub mod fault;
mod fence;
mod lease;
mod measure;
mod metrics;
pub mod overrides;
mod pass;
pub mod process;
mod queue;
mod references;
pub mod resource;
mod router;
mod serve;
mod shared;
mod store;
mod tally;
mod trim;
mod watch;

pub use client::{Client, Options, Told};
pub use controller::{Controller, Settings};
pub use election::Election;
pub use error::{Class, Error};
pub use evidence::EvidenceLog;
pub use fault::Fault;
pub use lease::Timing;
pub use overrides::Overrides;
pub use process::Process;
pub use resource::Resource;
