//! The controller on a cluster, the part that waits: client, watches, writes and the loop around the decisions.

mod affected;
mod apply;
pub mod calls;
pub mod client;
pub mod controller;
pub mod error;
pub mod fault;
mod measure;
mod pass;
mod queue;
mod references;
pub mod resource;
mod router;
mod shared;
mod store;
mod tally;
mod trim;
mod watch;

pub use client::{Client, Options, Told};
pub use controller::{Controller, Settings};
pub use error::{Class, Error};
pub use fault::Fault;
pub use resource::Resource;
