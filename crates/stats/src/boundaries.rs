//! Boundaries that a sum crosses at any time with probability at most `alpha`, and intervals made of them (Howard, Ramdas, McAuliffe and Sekhon, arXiv 1810.08240;
//! Howard and Ramdas, arXiv 1906.09712).
//!
//! The continuous counterpart of the mixtures that the other modules use: an alternative where a closed form is wanted, and a check on them. `S` is a sum of centred
//! outcomes, `V` its variance process.

mod mixture;
mod proportion;
mod quantile;
mod stitching;

pub use mixture::Mixture;
pub use proportion::proportion_interval;
pub use quantile::quantile_p_value;
pub use stitching::{EmpiricalProcess, PolyStitching, QuantileStitching};
