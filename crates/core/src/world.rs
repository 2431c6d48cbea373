//! The snapshot that a decision is made from. An adapter fills it by observing; nothing here is computed.

use crate::Hash;
use crate::analysis::{RunKind, RunPhase};
use crate::metadata::Metadata;
use crate::plugin::Plugins;
use crate::rollout::Rollout;
use crate::status::Status;
use crate::time::Time;
use crate::weight::{Share, Split};

/// Everything a decision may depend on, besides the time.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// What is wanted.
    pub rollout: Rollout,
    /// The memory of the rollout: what the last decision returned, plus what people changed since.
    pub status: Status,
    /// The pools that exist, in creation order.
    pub pools: Vec<Pool>,
    /// The analysis runs that belong to the rollout.
    pub runs: Vec<Run>,
    /// The experiments that belong to the rollout. Their pools are theirs and count nowhere among the rollout's.
    //= compat: 1.5-2
    pub experiments: Vec<StepExperiment>,
    /// The services of the rollout and what they select.
    pub services: Vec<Service>,
    /// The split as read back from the router; `None` while it has none of ours.
    pub split: Option<Split>,
    /// What is known of step plugins.
    pub plugins: Plugins,
}

/// The members that run one version: a ReplicaSet on Kubernetes, a group of processes on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Hash of its template.
    pub hash: Hash,
    /// Revision number; higher is newer.
    pub revision: u64,
    /// When it was created.
    pub created: Time,
    /// Wanted members.
    pub size: u32,
    /// Members that exist.
    pub members: u32,
    /// Members that pass their readiness probe.
    pub ready: u32,
    /// Members that have been ready for `minReadySeconds`.
    pub available: u32,
    /// The rollout's replicas when this pool was last scaled.
    pub replicas_seen: Option<u32>,
    /// When it is to be scaled to zero.
    pub scale_down_at: Option<Time>,
    /// Whether its version was the stable one of a blue-green rollout: only to such a pool a rollback is fast.
    pub promoted: bool,
    /// Why its members cannot be made, if so.
    pub failure: Option<String>,
    /// Labels and annotations that its role gave it.
    pub metadata: Metadata,
    /// Its members one by one. Only a restart asks for them: it may be empty while none is due.
    pub roster: Vec<Member>,
}

/// One member of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// When it was started.
    pub started: Time,
    /// Whether it has been ready for `minReadySeconds`.
    pub available: bool,
    /// Whether it is on its way out.
    pub leaving: bool,
}

impl Pool {
    /// A pool without members.
    pub fn new(hash: Hash, revision: u64, created: Time) -> Self {
        Self {
            hash,
            revision,
            created,
            size: 0,
            members: 0,
            ready: 0,
            available: 0,
            replicas_seen: None,
            scale_down_at: None,
            promoted: false,
            failure: None,
            metadata: Metadata::default(),
            roster: Vec::new(),
        }
    }
}

/// An analysis run, as far as the rollout cares.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Object name.
    pub name: String,
    /// What it judges.
    pub kind: RunKind,
    /// Version under test.
    pub hash: Hash,
    /// Where it stands.
    pub phase: RunPhase,
    /// Why it stands there.
    pub message: String,
    /// Whether it has been told to stop.
    pub terminating: bool,
    /// When it was created.
    pub created: Time,
    /// The weight at which its sequential tests have passed, see [`crate::analysis::evidence`]; `None` while they have not, and for
    /// a run without any.
    pub passed_at: Option<Share>,
}

/// An experiment of a step, as far as the rollout cares.
#[derive(Debug, Clone, PartialEq)]
pub struct StepExperiment {
    /// Object name.
    pub name: String,
    /// Version under test.
    pub hash: Hash,
    /// Where it stands.
    pub phase: RunPhase,
    /// Why it stands there.
    pub message: String,
    /// Whether it has been told to end.
    pub terminating: bool,
    /// When it was created.
    pub created: Time,
    /// Its versions that have a pool.
    pub pools: Vec<ExperimentPool>,
}

/// The pool of a version of an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentPool {
    /// The template's name.
    pub template: String,
    /// Hash of its pods.
    pub hash: Hash,
    /// Members that exist.
    pub members: u32,
    /// Members that can take requests.
    pub available: u32,
    /// The service that selects it, while there is one.
    pub service: Option<String>,
}

/// A service and the pool it selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Object name.
    pub name: String,
    /// The pool it selects; `None` before a rollout took it over.
    pub selects: Option<Hash>,
}

impl World {
    /// The pool of the current template.
    pub fn new_pool(&self) -> Option<&Pool> {
        self.pool(&self.rollout.hash)
    }

    /// The pool of the last promoted version.
    pub fn stable_pool(&self) -> Option<&Pool> {
        self.pool(self.status.stable.as_ref()?)
    }

    /// The pool with this hash; the oldest wins should there be two.
    //= compat: 2.3-6
    pub fn pool(&self, hash: &Hash) -> Option<&Pool> {
        self.pools.iter().find(|p| p.hash == *hash)
    }

    /// The pools that are neither the new nor the stable one, newest revision first.
    pub fn other_pools(&self) -> Vec<&Pool> {
        let mut others: Vec<&Pool> = self
            .pools
            .iter()
            .filter(|p| p.hash != self.rollout.hash && Some(&p.hash) != self.status.stable.as_ref())
            .collect();
        others.sort_by(|a, b| b.revision.cmp(&a.revision).then_with(|| a.hash.cmp(&b.hash)));
        others
    }

    /// The service of this name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }

    /// The experiment of this name.
    pub fn experiment(&self, name: &str) -> Option<&StepExperiment> {
        self.experiments.iter().find(|e| e.name == name)
    }

    /// The run of this name.
    pub fn run(&self, name: &str) -> Option<&Run> {
        self.runs.iter().find(|r| r.name == name)
    }
}
