//! How many members each template gets, and the services that select them (section 5.2 of the reference).

use super::world::{Template, TemplatePool};
use super::{ExperimentAction, ExperimentReason, Pass, pool_name};
use crate::time::Span;

/// Two pools for one template: whichever is taken, the other one's members would be counted by nobody. Nothing is done
/// until a person removed one.
//= compat: 5.2-2
pub fn claimed_twice(pass: &mut Pass) -> bool {
    let pools = &pass.world.pools;
    let twice = pools.iter().enumerate().find(|(i, p)| pools[..*i].iter().any(|q| q.template == p.template));
    let Some((_, pool)) = twice else { return false };
    pass.reasons.push(ExperimentReason::TwoPools { template: pool.template.clone() });
    true
}

/// Brings pools and services towards what the templates want.
pub fn reconcile(pass: &mut Pass) {
    let world = pass.world;
    let ending = pass.terminating();
    for template in &pass.experiment().templates {
        let over = ending || pass.status.template(&template.name).is_some_and(|t| t.phase.is_completed());
        //= compat: 5.2-5, 5.3-14
        let wanted = if over { 0 } else { template.replicas };
        match world.pool(&template.name) {
            None if !over => create(pass, template),
            None => {}
            Some(pool) => size(pass, pool, wanted, over),
        }
        service(pass, template, over);
    }
    // A template that was taken out of the spec is over as well.
    let gone = |name: &str| !pass.experiment().templates.iter().any(|t| t.name == name);
    let pools: Vec<&TemplatePool> = world.pools.iter().filter(|p| gone(&p.template)).collect();
    let services = world.services.iter().filter(|s| s.template.as_deref().is_some_and(gone));
    let services: Vec<String> = services.map(|s| s.name.clone()).collect();
    pools.into_iter().for_each(|pool| size(pass, pool, 0, true));
    services.into_iter().for_each(|name| pass.actions.push(ExperimentAction::DeleteService { name }));
}

/// Without members first; they come once the pool is seen.
//= compat: 5.2-1
fn create(pass: &mut Pass, template: &Template) {
    let name = pool_name(&pass.experiment().name, &template.name);
    pass.event("NewReplicaSetCreated", format!("Created ReplicaSet {name}"), false);
    let (template, hash) = (template.name.clone(), template.hash.clone());
    pass.actions.push(ExperimentAction::CreatePool { template, hash });
}

/// Members go only after their delay, and never while a router still sends them requests of a rollout.
//= compat: 5.2-6
fn size(pass: &mut Pass, pool: &TemplatePool, wanted: u32, over: bool) {
    let template = pool.template.clone();
    if pool.size == wanted || wanted > 0 {
        if pool.scale_down_at.is_some() {
            pass.actions.push(ExperimentAction::SetScaleDownAt { template, at: None });
        }
        if pool.size != wanted {
            scale(pass, pool, wanted);
        }
        return;
    }
    let delay = pass.experiment().scale_down_delay;
    match pool.scale_down_at {
        None if delay > Span::ZERO => {
            let at = pass.now + delay;
            pass.actions.push(ExperimentAction::SetScaleDownAt { template, at: Some(at) });
        }
        Some(at) if pass.now < at => {
            pass.wake(at);
            pass.reasons.push(ExperimentReason::ScaleDownPlanned { template, at });
        }
        _ if pool.routed && over => pass.reasons.push(ExperimentReason::AwaitingRouter { template }),
        _ => scale(pass, pool, wanted),
    }
}

//= compat: 5.3-11
fn scale(pass: &mut Pass, pool: &TemplatePool, size: u32) {
    let verb = if size > pool.size { "up" } else { "down" };
    let name = pool_name(&pass.experiment().name, &pool.template);
    pass.event("ScalingReplicaSet", format!("Scaled {verb} ReplicaSet {name} from {} to {size}", pool.size), false);
    pass.actions.push(ExperimentAction::ScalePool { template: pool.template.clone(), size });
}

/// A service stands as long as there are members behind it.
//= compat: 5.2-3, 5.2-4
fn service(pass: &mut Pass, template: &Template, over: bool) {
    let world = pass.world;
    let own = world.services.iter().find(|s| s.template.as_ref() == Some(&template.name));
    let pool = world.pool(&template.name);
    if let Some(own) = own {
        let left = pool.is_some_and(|p| p.size > 0 || p.available > 0);
        let renamed = template.service.as_ref() != Some(&own.name);
        if renamed || (over && !left) {
            pass.actions.push(ExperimentAction::DeleteService { name: own.name.clone() });
        }
        return;
    }
    let free = |name: &&String| world.service(name).is_none();
    if let Some(name) = template.service.as_ref().filter(free).filter(|_| pool.is_some() && !over) {
        let (template, name) = (template.name.clone(), name.clone());
        pass.actions.push(ExperimentAction::CreateService { template, name });
    }
}
