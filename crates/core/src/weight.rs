//! The wanted traffic state as one value: weights and header routes. A router renders all of it or nothing.

use crate::Hash;

/// How the requests of a rollout are divided between two pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Pool behind the stable service.
    pub stable: Hash,
    /// Pool behind the canary service; equals `stable` outside an update.
    pub canary: Hash,
    /// Weight of the canary, 0 to `weight_total`.
    pub weight: u32,
    /// Sum of both weights, 100 unless `maxTrafficWeight` says otherwise.
    pub weight_total: u32,
    /// Routes by header that go to the canary whatever the weight, first match first.
    pub header_routes: Vec<HeaderRoute>,
}

impl Split {
    /// Everything to `stable`.
    pub fn all_to(stable: Hash, weight_total: u32) -> Self {
        Self { canary: stable.clone(), stable, weight: 0, weight_total, header_routes: Vec::new() }
    }

    /// Weight of the stable pool.
    pub fn weight_stable(&self) -> u32 {
        self.weight_total.saturating_sub(self.weight)
    }
}

/// A managed route by header (`setHeaderRoute`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRoute {
    /// Name under `managedRoutes`.
    pub name: String,
    /// All must hold. Empty in a step means: remove the route of this name.
    //= compat: 1.7-18
    pub matches: Vec<HeaderMatch>,
}

/// One condition on a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Header name, compared without case.
    pub header: String,
    /// What its value must be.
    pub value: ValueMatch,
}

/// A condition on a header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueMatch {
    /// Equal.
    Exact(String),
    /// Begins with.
    Prefix(String),
    /// Matches a regular expression.
    Regex(String),
}
