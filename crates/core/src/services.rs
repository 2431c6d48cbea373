//! Services: letting one select a pool, whatever the strategy (section 2.11 of the reference).

use crate::Hash;
use crate::action::Action;
use crate::pass::Pass;

/// Lets a service select a pool, if it does not yet. A service that does not exist is left alone.
pub fn point<S>(pass: &mut Pass<S>, service: &str, hash: Hash) {
    let Some(current) = pass.world.service(service) else {
        return;
    };
    if current.selects.as_ref() == Some(&hash) {
        return;
    }
    let old = current.selects.as_ref().map_or("", Hash::as_str);
    pass.event("SwitchService", format!("Switched selector for service '{service}' from '{old}' to '{hash}'"));
    pass.actions.push(Action::PointService { service: service.to_owned(), hash });
}
