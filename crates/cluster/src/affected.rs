//! What a change makes due.

use serin_controller::Object;
use serin_spec::wire::keys::MANAGED_BY;

use crate::pass::{Key, experiment};
use crate::references::controller_of;
use crate::resource::{ANALYSIS_RUN, EXPERIMENT, JOB, REPLICA_SET, ROLLOUT, Resource, SERVICE};
use crate::router::ANY;
use crate::shared::Shared;
use crate::store::Name;

/// Makes everything due that looks at this object.
//= compat: 9.6-3, 9.6-5
pub(crate) fn learn(shared: &Shared, resource: Resource, object: &Object) {
    let name = Name::of(object);
    let owner = controller_of(object, "Rollout");
    match resource {
        ROLLOUT => shared.add(Key::Rollout(name.clone())),
        ANALYSIS_RUN => shared.add(Key::Run(name.clone())),
        EXPERIMENT => shared.add(Key::Experiment(name.clone())),
        JOB => {
            if let Some(run) = crate::measure::run_of(object) {
                shared.add(Key::Run(run));
            }
        }
        _ => {}
    }
    if matches!(resource, ANALYSIS_RUN | REPLICA_SET | SERVICE)
        && let Some(experiment) = experiment::of(object)
    {
        shared.add(Key::Experiment(experiment));
    }
    if resource == REPLICA_SET && object.controller().is_none() {
        // Whose it may be is for the rollouts of the namespace to say.
        let rollouts: Vec<Name> =
            shared.store.borrow().names(ROLLOUT).filter(|one| one.namespace == name.namespace).cloned().collect();
        rollouts.into_iter().for_each(|rollout| shared.add(Key::Rollout(rollout)));
    }
    if let Some(owner) = owner {
        shared.add(Key::Rollout(owner));
    }
    let lookers: Vec<Name> = {
        let references = shared.references.borrow();
        let any = Name::new(name.namespace.clone(), ANY);
        references.to(resource, &name).chain(references.to(resource, &any)).cloned().collect()
    };
    if resource == SERVICE && lookers.is_empty() && object.annotation(MANAGED_BY).is_some() {
        shared.add(Key::Service(name));
    }
    lookers.into_iter().for_each(|rollout| shared.add(Key::Rollout(rollout)));
}
