//! One look at one object: read what is known, decide, write.

pub(crate) mod experiment;
pub(crate) mod failure;
pub(crate) mod rollout;
pub(crate) mod run;
pub(crate) mod service;

use serin_core::Time;

use crate::error::Error;
use crate::shared::Shared;
use crate::store::Name;

/// Number of queues, see [`Key::lane`].
pub(crate) const LANES: usize = 2;

/// An object that passes are made over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A rollout.
    Rollout(Name),
    /// An experiment.
    Experiment(Name),
    /// An analysis run.
    Run(Name),
    /// A service that some rollout managed.
    Service(Name),
}

impl Key {
    /// Its name.
    pub(crate) const fn name(&self) -> &Name {
        match self {
            Self::Rollout(name) | Self::Experiment(name) | Self::Run(name) | Self::Service(name) => name,
        }
    }

    /// The queue it waits in: analysis runs have their own, because they wait for answers from elsewhere.
    pub(crate) const fn lane(&self) -> usize {
        match self {
            Self::Rollout(_) | Self::Experiment(_) | Self::Service(_) => 0,
            Self::Run(_) => 1,
        }
    }

    /// Its kind.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Rollout(_) => "Rollout",
            Self::Experiment(_) => "Experiment",
            Self::Run(_) => "AnalysisRun",
            Self::Service(_) => "Service",
        }
    }
}

impl crate::queue::Kind for Key {
    fn kind(&self) -> &'static str {
        Self::kind(self)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// What a pass leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Something was written: what follows from it is decided at once.
    Again,
    /// Nothing until then, or until something is heard.
    At(Option<Time>),
}

/// Makes one pass, and lets the object say so when it failed.
pub(crate) async fn attempt(shared: &Shared, key: &Key) -> Result<Next, Error> {
    let next = pass(shared, key).await;
    match &next {
        Ok(Next::At(_)) => failure::clear(shared, key).await,
        Ok(Next::Again) => {}
        Err(error) => {
            let failures = shared.queue(key).borrow().failures(key);
            failure::tell(shared, key, error, failures + 1).await;
        }
    }
    next
}

/// Makes one pass.
pub(crate) async fn pass(shared: &Shared, key: &Key) -> Result<Next, Error> {
    shared.fault.pass(key);
    match key {
        Key::Rollout(name) => rollout::pass(shared, name).await,
        Key::Experiment(name) => experiment::pass(shared, name).await,
        Key::Run(name) => run::pass(shared, name).await,
        Key::Service(name) => service::pass(shared, name).await,
    }
}
