//! What the tests on a real cluster are written with: a namespace each, kubectl, a controller, users' requests, bounded waits.
//!
//! Everything here panics when the cluster does not do as it is told, with what is needed to see why: it serves tests only.

mod cluster;
mod controller;
mod namespace;
pub mod prometheus;
mod traffic;
mod wait;

pub use cluster::{Cluster, Output};
pub use controller::Controller;
pub use namespace::Namespace;
pub use traffic::{Answers, NODE, Users, ask, ask_with, exchange};
pub use wait::wait_for;
