//! Restarting the members of a rollout without a new version (`restartAt`, section 1.4 of the reference).
//!
//! Members that were started before `restartAt` are replaced a few at a time: never more at once than may be unavailable, and
//! at least one. A member that serves nobody is replaced at once, because a restart may be what it needs.

use crate::Hash;
use crate::action::Action;
use crate::pass::Pass;
use crate::reason::Reason;
use crate::rollout::Rollout;
use crate::status::Status;
use crate::time::{Span, Time};
use crate::world::Member;

/// Wait before a restart is looked at again although nothing was observed: an eviction may have been refused.
const AGAIN: Span = Span::from_secs(30);

/// Whether a restart was asked for, its time has come, and it is not done yet.
//= compat: 1.4-1
pub fn due(rollout: &Rollout, status: &Status, now: Time) -> bool {
    rollout.restart_at.is_some_and(|at| now > at && status.restarted_at != Some(at))
}

/// Replaces members that are older than the restart as far as availability allows. Returns whether it replaced any.
//= compat: 1.4-2, 1.4-3, 1.4-6, 1.4-7
//= compat-differs: 1.4-1 the moment of a restart is waited for however far away it is; nothing waits for a resync
pub fn reconcile<S>(pass: &mut Pass<S>) -> bool {
    let (rollout, world) = (pass.rollout(), pass.world);
    let Some(at) = rollout.restart_at else {
        return false;
    };
    if !due(rollout, &pass.status, pass.now) {
        if pass.status.restarted_at != Some(at) {
            // "After" in whole milliseconds is one millisecond later.
            pass.wake(at + Span::from_millis(1));
        }
        return false;
    }
    let mut old: Vec<(&Hash, &Member)> = world
        .pools
        .iter()
        .flat_map(|pool| pool.roster.iter().map(move |member| (&pool.hash, member)))
        .filter(|(_, member)| member.started < at)
        .collect();
    // Whoever is not seen may be old.
    let unseen = world.pools.iter().any(|pool| pool.roster.len() < pool.members as usize);
    if old.is_empty() && !unseen {
        pass.status.restarted_at = Some(at);
        return false;
    }
    pass.reasons.push(Reason::Restarting { left: clamp(old.len()) });
    pass.wake(pass.now + AGAIN);
    old.retain(|(_, member)| !member.leaving);
    // Those that serve nobody first, then the oldest.
    old.sort_by(|(_, a), (_, b)| (a.available, a.started, &a.name).cmp(&(b.available, b.started, &b.name)));
    let mut budget = budget(pass);
    let mut replaced = false;
    for (hash, member) in old {
        if member.available {
            if budget == 0 {
                break;
            }
            budget -= 1;
        }
        let (hash, member) = (hash.clone(), member.name.clone());
        pass.actions.push(Action::EvictMember { hash, member, older_than: at });
        replaced = true;
    }
    replaced
}

/// How many available members may go now.
//= compat: 1.4-4, 1.4-9
//= compat-differs: 1.4-4 members that are not available cost no budget, so a restart can also cure them
fn budget<S>(pass: &Pass<S>) -> u32 {
    let rollout = pass.rollout();
    let members = pass.world.pools.iter().flat_map(|pool| &pool.roster);
    let available = clamp(members.filter(|m| m.available && !m.leaving).count());
    let wanted = pass.world.pools.iter().map(|p| p.size).fold(0, u32::saturating_add).max(rollout.replicas);
    let unavailable = rollout.unavailable().max(1);
    available.saturating_sub(wanted.saturating_sub(unavailable))
}

fn clamp(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A new template or new steps make a restart that is due superfluous: the members will be new anyway. One that lies ahead is
/// meant for whatever runs then.
//= compat: 1.4-11
//= compat-differs: 1.4-11 a restart that lies in the future is not called done by a new template
pub fn superseded<S>(pass: &mut Pass<S>) {
    if due(pass.rollout(), &pass.status, pass.now) {
        pass.status.restarted_at = pass.rollout().restart_at;
    }
}
