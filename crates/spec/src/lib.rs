//! Manifests: the frozen wire types of `argoproj.io/v1alpha1`, reading them with exact places for every problem,
//! validation, and the conversion into the core's own terms.

pub mod arguments;
pub mod duration;
pub mod hash;
pub mod image;
pub mod lower;
pub mod quantity;
pub mod raise;
mod timestamp;
pub mod wire;
