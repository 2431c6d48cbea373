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
    /// Weights of an experiment's pools, taken from the stable one's.
    pub experiment: Vec<Destination>,
    /// Routes whose requests are copied to the canary, first match first.
    pub mirrors: Vec<MirrorRoute>,
}

/// A part of a whole: what weight the canary has, out of which total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The weight.
    pub weight: u32,
    /// The sum of all weights.
    pub total: u32,
}

impl Share {
    /// Reads what [`std::fmt::Display`] writes, such as `20/100`.
    pub fn parse(text: &str) -> Option<Self> {
        let (weight, total) = text.split_once('/')?;
        Some(Self { weight: weight.parse().ok()?, total: total.parse().ok()? })
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.weight, self.total)
    }
}

/// A pool beside stable and canary that gets a weight of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The service that selects it.
    pub service: String,
    /// The pool.
    pub hash: Hash,
    /// Its weight, out of the split's `weight_total`.
    pub weight: u32,
}

/// A managed route that copies requests (`setMirrorRoute`). The answers to the copies reach nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorRoute {
    /// Name under `managedRoutes`.
    pub name: String,
    /// Share of the matching requests that is copied, in percent, 0 to 100.
    pub percentage: u32,
    /// One must hold. Empty in a step means: remove the route of this name.
    pub matches: Vec<RouteMatch>,
}

/// What a request must be like; everything that is said must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteMatch {
    /// The method.
    pub method: Option<ValueMatch>,
    /// The path.
    pub path: Option<ValueMatch>,
    /// Headers.
    pub headers: Vec<HeaderMatch>,
}

impl Split {
    /// Everything to `stable`.
    pub fn all_to(stable: Hash, weight_total: u32) -> Self {
        Self {
            canary: stable.clone(),
            stable,
            weight: 0,
            weight_total,
            header_routes: Vec::new(),
            experiment: Vec::new(),
            mirrors: Vec::new(),
        }
    }

    /// Weight of the stable pool.
    pub fn weight_stable(&self) -> u32 {
        let experiment = self.experiment.iter().map(|d| d.weight).fold(0, u32::saturating_add);
        self.weight_total.saturating_sub(self.weight).saturating_sub(experiment)
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
