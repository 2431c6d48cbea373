//! Changing the size of a pool, whatever the strategy.

use crate::action::Action;
use crate::pass::Pass;
use crate::world::Pool;

/// Whether the replicas changed since a pool was last scaled.
//= compat: 2.2-8, 2.4-6
pub fn resized<S>(pass: &Pass<S>) -> bool {
    let replicas = pass.rollout().replicas;
    let stale =
        |pool: Option<&Pool>| pool.is_some_and(|p| p.size > 0 && p.replicas_seen.is_some_and(|r| r != replicas));
    stale(pass.world.new_pool()) || stale(pass.world.stable_pool())
}

/// Asks for another size of a pool, or lets it learn the rollout's replicas.
//= compat: 9.4-2
pub fn scale_to<S>(pass: &mut Pass<S>, pool: &Pool, size: u32) {
    if pool.size != size {
        let verb = if size > pool.size { "up" } else { "down" };
        let name = crate::revision::pool_name(pass.rollout(), &pool.hash);
        let (revision, from) = (pool.revision, pool.size);
        let text = format!("Scaled {verb} ReplicaSet {name} (revision {revision}) from {from} to {size}");
        pass.event("ScalingReplicaSet", text);
    }
    let replicas_seen = pass.rollout().replicas;
    pass.actions.push(Action::ScalePool { hash: pool.hash.clone(), size, replicas_seen });
}
