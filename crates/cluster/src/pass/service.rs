//! A service that no rollout cares for any more selects all pods that its own selector means again.

use serin_controller::render::service::give_back;
use serin_spec::wire::Rollout;
use serin_spec::wire::keys::MANAGED_BY;

use super::Next;
use crate::error::Error;
use crate::resource::{ROLLOUT, SERVICE};
use crate::shared::Shared;
use crate::store::Name;

//= compat: 2.11-7, 2.11-8
pub(super) async fn pass(shared: &Shared, name: &Name) -> Result<Next, Error> {
    if !shared.knows([ROLLOUT, SERVICE]) {
        return Ok(Next::At(None));
    }
    let service = shared.store.borrow().get(SERVICE, name);
    let Some(service) = service else { return Ok(Next::At(None)) };
    let parse = |objects: Vec<serin_controller::Object>| -> Vec<Rollout> {
        objects.into_iter().filter_map(|object| serde_json::from_value(object.0).ok()).collect()
    };
    // Only the rollout that it names as its manager can care, and a namespace may have many.
    let known = match service.annotation(MANAGED_BY) {
        Some(manager) => {
            shared.store.borrow().get(ROLLOUT, &Name::new(name.namespace.clone(), manager)).into_iter().collect()
        }
        None => shared.store.borrow().list(ROLLOUT, &name.namespace),
    };
    let known = parse(known);
    if give_back(&service, &known).is_none() {
        return Ok(Next::At(None));
    }
    // A controller of some instance knows its own rollouts only; those of others count, too.
    let objects = shared.client.list(ROLLOUT, Some(&name.namespace), "").await?;
    let unreadable = objects.iter().any(|object| serde_json::from_value::<Rollout>(object.0.clone()).is_err());
    if unreadable {
        return Ok(Next::At(None));
    }
    let Some(write) = give_back(&service, &parse(objects)) else { return Ok(Next::At(None)) };
    tracing::info!(service = %name, "gives the service back: no rollout names it any more");
    let mut versions = Shared::versions([&service]);
    let keep = &mut |resource, object| shared.keep(resource, object);
    let applied = crate::apply::apply(&shared.client, vec![write], &mut versions, &shared.fault, keep).await;
    match applied.stopped {
        Some((_, error)) => Err(error),
        None => Ok(Next::At(None)),
    }
}
