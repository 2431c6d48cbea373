//! The two directions of a test.

use serde::{Deserialize, Serialize};

/// What a test tries to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// That the canary is worse than tolerated. The null is that it is not.
    Fail,
    /// That the canary is better than the worst tolerated. The null is that it is at the line or beyond.
    Pass,
}

impl Side {
    /// The direction of the alternative: up (1) is bad.
    pub(crate) fn sign(self) -> f64 {
        match self {
            Side::Fail => 1.0,
            Side::Pass => -1.0,
        }
    }
}
