//! Labels and annotations that members carry only while their version has a role (section 1.9 of the reference).

use std::collections::BTreeMap;

use crate::action::Action;
use crate::pass::Pass;
use crate::world::Pool;

/// Labels and annotations put on a pool and its members, on top of those of its template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }
}

/// What members carry in each role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleMetadata {
    /// `canaryMetadata` or `previewMetadata`: while the version is tried.
    pub new: Metadata,
    /// `stableMetadata` or `activeMetadata`: once it is the stable one.
    pub stable: Metadata,
}

/// Gives every pool what its role asks for. What was put on a pool before is part of what is observed of it, so that keys of
/// others are never taken away, and nothing stays behind when the fields leave the spec.
//= compat: 1.9-1, 1.9-2
//= compat-differs: 1.9-7, 10.33 what was put on members is taken off again when the fields leave the spec
pub fn reconcile<S>(pass: &mut Pass<S>) {
    let world = pass.world;
    for pool in &world.pools {
        let wanted = wanted(pass, pool);
        if pool.metadata != wanted {
            pass.actions.push(Action::SetMetadata { hash: pool.hash.clone(), metadata: wanted });
        }
    }
}

/// A pool that is made now carries its role's metadata before it has a member.
//= compat: 1.9-6
pub fn of_new_pool<S>(pass: &Pass<S>) -> Metadata {
    let roles = &pass.rollout().metadata;
    match tried(pass) {
        true => roles.new.clone(),
        false => roles.stable.clone(),
    }
}

/// Whether the current template is tried beside a stable version.
fn tried<S>(pass: &Pass<S>) -> bool {
    pass.status.stable.as_ref().is_some_and(|stable| *stable != pass.rollout().hash)
}

fn wanted<S>(pass: &Pass<S>, pool: &Pool) -> Metadata {
    if pool.hash == pass.rollout().hash {
        of_new_pool(pass)
    } else if pass.status.stable.as_ref() == Some(&pool.hash) {
        pass.rollout().metadata.stable.clone()
    } else {
        Metadata::default()
    }
}
