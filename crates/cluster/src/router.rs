//! The traffic routers of a rollout: what they carry, and what they are told.

use serde_json::Value;
use serin_controller::observe::View;
use serin_controller::render::event::on;
use serin_controller::write::{Target, Verb};
use serin_controller::{Object, Write};
use serin_core::{Hash, Split};
use serin_routes::{Change, Context, ObjectRef, Pick, Problem, Service};
use serin_spec::wire::Rollout;

use crate::apply::Versions;
use crate::error::Error;
use crate::pass::rollout::{apply_all, finish};
use crate::resource::{EXPERIMENT, Resource, SERVICE};
use crate::shared::Shared;
use crate::store::Name;

/// Stands for every object of a kind and namespace; no object has this name.
pub(crate) const ANY: &str = "*";

/// The routers that a rollout is configured with.
pub(crate) struct Router {
    routers: Vec<serin_routes::Router>,
    wants: Vec<ObjectRef>,
    problem: Option<String>,
}

/// What they carry now.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// The split, if it can be told.
    pub(crate) split: Option<Split>,
    /// Why the rollout cannot be routed.
    pub(crate) problem: Option<String>,
}

impl Router {
    /// Reads the configuration. What is wrong with it is told by [`Router::observe`].
    pub(crate) fn of(rollout: &Rollout) -> Self {
        match serin_routes::routers(rollout) {
            Ok(routers) => Self { wants: serin_routes::wants(&routers), routers, problem: None },
            Err(problems) => {
                Self { routers: Vec::new(), wants: Vec::new(), problem: problems.first().map(Problem::to_string) }
            }
        }
    }

    /// The objects that they are carried by; [`ANY`] for those that are picked by labels.
    pub(crate) fn objects(&self) -> Vec<(Resource, Name)> {
        let named = |want: &ObjectRef| {
            let name = match &want.pick {
                Pick::Name(name) => name.as_str(),
                Pick::Labels(_) => ANY,
            };
            Some((Resource::find(want.api_version, want.kind)?, Name::new(want.namespace.clone(), name)))
        };
        self.wants.iter().filter_map(named).collect()
    }

    /// The kinds that they are carried by.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Resource> {
        self.wants.iter().filter_map(|want| Resource::find(want.api_version, want.kind))
    }

    /// The objects themselves.
    pub(crate) fn read(&self, shared: &Shared) -> Vec<Object> {
        let store = shared.store.borrow();
        let mut found: Vec<Object> = Vec::new();
        for want in &self.wants {
            let Some(resource) = Resource::find(want.api_version, want.kind) else { continue };
            let objects = match &want.pick {
                Pick::Name(name) => {
                    store.get(resource, &Name::new(want.namespace.clone(), name.clone())).into_iter().collect()
                }
                Pick::Labels(_) => store.list(resource, &want.namespace),
            };
            let matching = objects.into_iter().filter(|object| want.matches(&object.0));
            for object in matching {
                if !found.iter().any(|one| one.kind() == object.kind() && one.name() == object.name()) {
                    found.push(object);
                }
            }
        }
        found
    }

    /// What they carry. `version` is the hash of the rollout's own template.
    pub(crate) fn observe(&self, shared: &Shared, rollout: &Rollout, version: &Hash, objects: &[Object]) -> Carried {
        if let Some(problem) = &self.problem {
            return Carried { split: None, problem: Some(problem.clone()) };
        }
        let services = services(shared, rollout);
        let context = Context { rollout, version, services: &services };
        let objects: Vec<&Value> = objects.iter().map(|object| &object.0).collect();
        match serin_routes::observe(&self.routers, &context, &objects) {
            Ok(split) => Carried { split, problem: None },
            Err(problem) => Carried { split: None, problem: Some(problem.to_string()) },
        }
    }

    /// Lets them carry a split. Services are read anew: a pass may have pointed them elsewhere just before. Changes of what is
    /// there are told of unless `told` says that the weight is. Returns how many objects were written.
    //= compat: 6.1-7
    pub(crate) async fn apply(
        &self,
        shared: &Shared,
        view: &View,
        split: &Split,
        told: bool,
        versions: &mut Versions,
    ) -> Result<usize, Error> {
        let (rollout, version) = (&view.rollout, &view.world.rollout.hash);
        let services = services(shared, rollout);
        let context = Context { rollout, version, services: &services };
        let objects = self.read(shared);
        let values: Vec<&Value> = objects.iter().map(|object| &object.0).collect();
        let changes = serin_routes::render(&self.routers, &context, &values, split)
            .map_err(|problem| Error::Route { reason: problem.reason(), message: problem.to_string() })?;
        let is_news = |change: &&Change| !told || matches!(change.verb, serin_routes::Verb::Create(_));
        let news = changes.iter().filter(is_news);
        let events: Vec<Write> = news.filter_map(|change| event(shared, rollout, change)).collect();
        let writes: Vec<Write> = changes.into_iter().map(write).collect();
        let applied = finish(shared, writes, versions).await?;
        apply_all(shared, events, versions).await;
        Ok(applied.written)
    }
}

/// The services that a rollout and its experiments name.
fn services(shared: &Shared, rollout: &Rollout) -> Vec<Service> {
    let store = shared.store.borrow();
    let namespace = rollout.metadata.namespace();
    let named = serin_controller::observe::named(rollout);
    let mut found: Vec<Object> = named.filter_map(|name| store.get(SERVICE, &Name::new(namespace, name))).collect();
    for experiment in store.owned(EXPERIMENT, rollout.metadata.uid.as_deref().unwrap_or_default()) {
        found.extend(store.owned(SERVICE, experiment.uid()));
    }
    found.iter().map(|service| Service::of(&service.0)).collect()
}

fn write(change: Change) -> Write {
    let target = Target::new(change.api_version, change.kind, &change.namespace, &change.name);
    let verb = match change.verb {
        serin_routes::Verb::Create(object) => Verb::Create(object),
        serin_routes::Verb::MergePatch(patch) => Verb::MergePatch(patch),
    };
    Write::new(target, verb)
}

fn event(shared: &Shared, rollout: &Rollout, change: &Change) -> Option<Write> {
    let event = change.event.as_ref()?;
    let object = Object(serde_json::to_value(rollout).ok()?);
    Some(on(&object, event.reason, &event.message, false, shared.now()))
}
