//! The wire types, one file a kind, with exactly Argo's field names. They are plain data: defaults are applied when they
//! are lowered, so a document that is read and written again is unchanged.

pub mod analysis;
pub mod canary;
pub mod experiment;
pub mod gateway_api;
pub mod keys;
pub mod kubernetes;
pub mod meta;
pub mod pod;
pub mod provider;
pub mod rollout;
pub mod status;
pub mod traffic;

pub use analysis::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate};
pub use meta::{IntOrString, ObjectMeta};
pub use pod::PodTemplate;
pub use rollout::Rollout;
