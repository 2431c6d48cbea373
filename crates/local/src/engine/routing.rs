//! Routing: the router is told the whole table whenever it differs from what it carries, and what it carries is read back.

use std::collections::BTreeMap;

use super::Engine;
use crate::model::{Key, Workload};
use crate::observe::Carried;
use crate::route;

impl Engine {
    /// Brings the router to the table that the splits, services and members make now.
    pub(super) async fn route(&mut self) {
        if !self.routes_stale || !self.link.is_connected() {
            return;
        }
        let mut routes = route::routes(&self.objects, &self.workloads, &self.experiments, &self.members.endpoints());
        self.record(&mut routes);
        if self.going_down {
            // Members on their way out take no new requests; those under way are finished.
            routes.retain(|r| r.split.groups.iter().any(|g| !g.endpoints.is_empty()));
        }
        let before = self.carried();
        match self.link.push(routes).await {
            Ok(_) => {
                self.routes_stale = false;
                let after = self.carried();
                for (key, carries) in after {
                    if before.get(&key) != Some(&carries) {
                        self.dirty.insert(key);
                    }
                }
                // Members of versions that are over wait for the router to let them go.
                let waiting = self.experiments.iter().filter(|(_, e)| e.pools.iter().any(|p| p.size > 0));
                self.dirty_experiments.extend(waiting.map(|(key, _)| key.clone()));
            }
            Err(error) => tracing::error!("{error}"),
        }
    }

    /// What the router carries of each rollout.
    fn carried(&self) -> BTreeMap<Key, Carried> {
        let blue_green = |w: &Workload| w.rollout.blue_green().is_some();
        let known = self.workloads.iter().filter(|(_, w)| w.split.is_some() || blue_green(w));
        known.map(|(key, w)| (key.clone(), self.carried_of(key, w))).collect()
    }

    /// What the router carries of a rollout.
    pub(super) fn carried_of(&self, key: &Key, workload: &Workload) -> Carried {
        let split = workload.split.as_ref().filter(|split| self.link.carries(key, split));
        Carried { split: split.cloned(), services: self.services(workload) }
    }
}
