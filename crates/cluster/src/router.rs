//! The traffic routers of a rollout: what they carry, and what they are told.

use serin_controller::Object;
use serin_core::Split;
use serin_spec::wire::Rollout;

use crate::apply::Versions;
use crate::error::Error;
use crate::resource::Resource;
use crate::shared::Shared;
use crate::store::Name;

/// The routers that a rollout is configured with.
pub(crate) struct Router;

/// What they carry now.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// The split, if it can be told.
    pub(crate) split: Option<Split>,
    /// The objects that it was read from.
    pub(crate) objects: Vec<Object>,
    /// Why the rollout cannot be routed.
    pub(crate) problem: Option<String>,
}

impl Router {
    pub(crate) fn of(_rollout: &Rollout) -> Self {
        Self
    }

    pub(crate) fn objects(&self) -> Vec<(Resource, Name)> {
        Vec::new()
    }

    pub(crate) fn observe(&self, _shared: &Shared, _rollout: &Rollout) -> Carried {
        Carried::default()
    }

    #[expect(clippy::unused_async, reason = "the routers come next")]
    pub(crate) async fn apply(
        &self,
        _shared: &Shared,
        _rollout: &Rollout,
        _split: &Split,
        _versions: &mut Versions,
    ) -> Result<usize, Error> {
        Ok(0)
    }
}
