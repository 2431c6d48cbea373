//! The pool of the current template: found again whoever made it.

use serin_spec::hash::{self, Types};
use serin_spec::wire::Rollout;

use super::{collisions, new_hash};
use crate::pod;
use crate::replica_set::ReplicaSet;

/// The ReplicaSet of the rollout's template among its own ones, which stand in creation order: by the hash we give it, by the
/// hash that a controller with older types gave it, else by the meaning of its template. The oldest match wins. So a
/// controller that takes over from another version finds the pools it left, and starts no rollout anew.
//= compat: 2.3-4, 2.3-6, 2.3-3
pub fn find<'p>(rollout: &Rollout, pools: &'p [ReplicaSet]) -> Option<&'p ReplicaSet> {
    let template = rollout.spec.template.as_ref()?;
    let ours = new_hash(rollout);
    let older = hash::pod_template_by(template, collisions(rollout), Types::Older);
    let labelled = |hash: &str| pools.iter().find(|pool| pool.hash() == Some(hash));
    labelled(ours.as_str()).or_else(|| labelled(older.as_str())).or_else(|| {
        let same = |pool: &&ReplicaSet| pod::is_same(&pool.template(), &pool.ephemeral(), template);
        pools.iter().filter(|pool| pool.hash().is_some()).find(same)
    })
}
