//! Manifests: the frozen wire types of `argoproj.io/v1alpha1`, reading them with exact places for every problem,
//! validation, and the conversion into the core's own terms.

pub mod duration;
pub mod wire;
