//! Revisions: the pool of the current template, revision numbers, history, and whether a change is a rollback.

use crate::action::Action;
use crate::rollout::Rollout;
use crate::world::{Pool, World};

/// Revision number the current template should have: one more than every other pool's, and never less than its own.
//= compat: 2.3-12
pub fn number(world: &World) -> u64 {
    let older = world.pools.iter().filter(|p| p.hash != world.rollout.hash).map(|p| p.revision).max().unwrap_or(0);
    let own = world.new_pool().map_or(0, |p| p.revision);
    own.max(older + 1)
}

/// Makes the pool of the current template exist with the right revision number.
//= compat: 2.3-7, 2.3-12
pub fn sync_new_pool(world: &World) -> Option<Action> {
    let revision = number(world);
    let hash = world.rollout.hash.clone();
    match world.new_pool() {
        None => Some(Action::CreatePool { hash, revision }),
        Some(pool) if pool.revision < revision => Some(Action::SetRevision { hash, revision }),
        Some(_) => None,
    }
}

/// Old pools to forget: the oldest beyond the history limit, never one with members, wanted or real.
//= compat: 1.2-4, 1.2-5
pub fn expired_pools(world: &World) -> Vec<Action> {
    let mut others = world.other_pools();
    others.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.hash.cmp(&b.hash)));
    let limit = world.rollout.revision_history_limit as usize;
    let excess = others.len().saturating_sub(limit);
    others
        .into_iter()
        .take(excess)
        .filter(|p| p.size == 0 && p.members == 0)
        .map(|p| Action::DeletePool { hash: p.hash.clone() })
        .collect()
}

/// Whether the current template is an older version that lies within `rollbackWindow` of the stable one.
//= compat: 1.5-1, 1.5-3
pub fn within_rollback_window(world: &World) -> bool {
    let Some(window) = world.rollout.rollback_window else {
        return false;
    };
    let (Some(new), Some(stable)) = (world.new_pool(), world.stable_pool()) else {
        return false;
    };
    if new.created.as_secs() >= stable.created.as_secs() {
        return false;
    }
    let between =
        |p: &&Pool| p.created.as_secs() > new.created.as_secs() && p.created.as_secs() < stable.created.as_secs();
    // A window of no revisions is none: never are fewer than none between.
    (world.pools.iter().filter(between).count() as u64) < u64::from(window)
}

/// The name of a pool.
//= compat: 2.3-7
pub fn pool_name(rollout: &Rollout, hash: &crate::Hash) -> String {
    format!("{}-{hash}", rollout.name)
}
