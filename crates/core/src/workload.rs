//! Handing over from the workload that holds the template: a Deployment ran the service before, and is taken down as the first
//! revision of the rollout takes over (section 1.3 of the Argo reference).

use crate::action::Action;
use crate::pass::Pass;
use crate::phase::Phase;
use crate::rollout::ScaleDown;

/// The revision that replaces the workload. Later ones have a stable version of their own to go back to.
const FIRST: u64 = 1;

/// Wants the workload at the size it should have now, if it has another one.
//= compat: 1.3-10, 1.3-13
pub fn reconcile<S>(pass: &mut Pass<S>) {
    let Some(workload) = pass.rollout().workload else { return };
    let first = pass.world.new_pool().is_some_and(|pool| pool.revision == FIRST);
    let wanted = match workload.scale_down {
        ScaleDown::Never => None,
        _ if !first => None,
        ScaleDown::OnSuccess => on_success(pass),
        ScaleDown::Progressively => progressively(pass),
    };
    if let Some(replicas) = wanted.filter(|wanted| *wanted != workload.replicas) {
        pass.actions.push(Action::ScaleWorkload { replicas });
    }
}

fn was_healthy<S>(pass: &Pass<S>) -> bool {
    pass.world.status.phase == Phase::Healthy
}

/// Everything runs and was seen to, so nothing of the workload is needed.
//= compat: 1.3-11
fn on_success<S>(pass: &Pass<S>) -> Option<u32> {
    (pass.status.stable.is_some() && pass.fully_promoted() && was_healthy(pass)).then_some(0)
}

/// One member of the workload less for every one that is ready here, and back again should they be taken away.
//= compat: 1.3-12
fn progressively<S>(pass: &Pass<S>) -> Option<u32> {
    if was_healthy(pass) {
        return Some(0);
    }
    let new = &pass.rollout().hash;
    let shrinks = pass.actions.iter().any(|action| match action {
        Action::ScalePool { hash, size, .. } => {
            hash == new && pass.world.new_pool().is_some_and(|pool| *size < pool.size)
        }
        _ => false,
    });
    let ready = pass.world.pools.iter().map(|pool| pool.ready).fold(0, u32::saturating_add);
    (ready > 0 || shrinks).then(|| pass.rollout().replicas.saturating_sub(ready))
}
