//! The Kubernetes adapter, its pure part: [`observe`] makes a snapshot of a cluster's objects, [`render`] makes writes of a
//! decision. Both are functions of values: no client, no clock, nothing that waits.
//!
//! One pass reads the objects once, decides ([`decide_ahead`]), and then writes; nothing is read again in between. What a write may do when
//! it fails is part of it ([`write::Failure`]), so whoever sends it decides nothing.

mod ahead;
pub mod ephemeral;
pub mod experiment;
pub mod install;
pub mod job;
pub mod merge_patch;
pub mod migrate;
pub mod object;
pub mod observe;
pub mod pod;
pub mod render;
pub mod replica_set;
pub mod templates;
pub mod write;

pub use ahead::{Ahead, decide_ahead};
pub use object::Object;
pub use observe::{Cluster, Observed, View, observe};
pub use render::{Rendered, render};
pub use replica_set::ReplicaSet;
pub use write::Write;
