//! Members are not taken from those who need them.

use serin_core::rollout::{Canary, Strategy};
use serin_core::world::{Pool, World};
use serin_core::{Action, Decision, Hash};

use super::Verdict;
use super::routed::share;

pub(super) fn judge(seen: &World, decision: &Decision) -> Verdict {
    let scaled: Vec<(&Pool, u32)> = decision
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::ScalePool { hash, size, .. } => Some((seen.pool(hash)?, *size)),
            _ => None,
        })
        .collect();
    match &seen.rollout.strategy {
        _ if scaled.is_empty() => Ok(()),
        Strategy::Canary(canary) if canary.traffic.is_some() => routed(seen, canary, &scaled),
        Strategy::Canary(canary) => basic(seen, canary, &scaled),
        Strategy::BlueGreen(blue_green) => {
            let active = seen.service(&blue_green.active_service).and_then(|s| s.selects.as_ref());
            switched(seen, active, &scaled)
        }
    }
}

/// A pool is shrunk only to what the weight needs that the router was last seen to carry; to a single member where a
/// `setCanaryScale` of the step under way wishes it.
fn routed(seen: &World, canary: &Canary, scaled: &[(&Pool, u32)]) -> Verdict {
    let Some(split) = &seen.split else { return Ok(()) };
    for (pool, size) in scaled {
        let by_header = split.canary == pool.hash && !split.header_routes.is_empty() && seen.rollout.replicas > 0;
        let weight = share(Some(split), &pool.hash);
        let index = seen.status.step_index.filter(|_| !seen.status.promote_full && !seen.status.abort);
        let wished = pool.hash == seen.rollout.hash && canary.scale_at(index).is_some();
        let replicas = u64::from(if wished { seen.rollout.replicas.min(1) } else { seen.rollout.replicas });
        let needed = (replicas * u64::from(weight)).div_ceil(u64::from(split.weight_total)).max(u64::from(by_header));
        if *size < pool.size && u64::from(*size) < needed {
            return Err(("sizes", format!("{} goes from {} to {size} at weight {weight}", pool.hash, pool.size)));
        }
    }
    Ok(())
}

/// Without a router: no decision takes available members away below the minimum, none goes beyond the surge.
fn basic(seen: &World, canary: &Canary, scaled: &[(&Pool, u32)]) -> Verdict {
    let replicas = seen.rollout.replicas;
    let size = |pool: &Pool| scaled.iter().find(|(p, _)| p.hash == pool.hash).map_or(pool.size, |(_, size)| *size);
    let least = replicas.saturating_sub(canary.unavailable(replicas));
    let before: u32 = seen.pools.iter().map(|p| p.available.min(p.size)).sum();
    let after: u32 = seen.pools.iter().map(|p| p.available.min(size(p))).sum();
    if after < before.min(least) {
        return Err(("sizes", format!("{before} available members become {after}, at least {least} are needed")));
    }
    let most = replicas + canary.surge(replicas);
    let (wanted, had): (u32, u32) = (seen.pools.iter().map(size).sum(), seen.pools.iter().map(|p| p.size).sum());
    if wanted > had.max(most) {
        return Err(("sizes", format!("{wanted} members are wanted, at most {most} may be")));
    }
    Ok(())
}

/// The pool of the users and the stable one never go below what is asked of them.
fn switched(seen: &World, active: Option<&Hash>, scaled: &[(&Pool, u32)]) -> Verdict {
    for (pool, size) in scaled {
        let used = Some(&pool.hash) == active || Some(&pool.hash) == seen.status.stable.as_ref();
        if used && *size < pool.size && *size < seen.rollout.replicas {
            return Err(("sizes", format!("{} has the users and goes from {} to {size}", pool.hash, pool.size)));
        }
    }
    Ok(())
}
