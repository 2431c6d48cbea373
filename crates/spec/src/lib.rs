//! Manifests: the frozen wire types of `argoproj.io/v1alpha1`, reading them with exact places for every problem,
//! validation, and the conversion into the core's own terms.

pub mod advance;
pub mod arguments;
pub mod catalog;
pub mod check;
pub mod crd;
mod document;
pub mod duration;
pub mod hash;
pub mod image;
pub mod lint;
pub mod lower;
pub mod plan;
pub mod problem;
pub mod quantity;
pub mod raise;
pub mod read;
pub mod recipe;
pub mod settings;
pub mod shown;
pub mod timestamp;
pub mod truth;
pub mod validate;
pub mod wire;
pub mod workload;

pub use catalog::{Catalog, Entry, Place};
pub use check::{Checked, check, check_with};
pub use problem::{Problem, Severity};
pub use read::Source;
