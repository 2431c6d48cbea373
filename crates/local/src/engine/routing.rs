//! Routing: the router is told the whole table whenever it differs from what it carries, and what it carries is read back.

use super::Engine;
use crate::route;

impl Engine {
    /// Brings the router to the table that the splits, services and members make now.
    pub(super) async fn route(&mut self) {
        if !self.routes_stale || !self.link.is_connected() {
            return;
        }
        let mut routes = route::routes(&self.objects, &self.workloads, &self.members.endpoints());
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
            }
            Err(error) => tracing::error!("{error}"),
        }
    }

    /// Which rollouts' splits the router carries.
    fn carried(&self) -> std::collections::BTreeMap<crate::model::Key, bool> {
        let carries = |(key, w): (&crate::model::Key, &crate::model::Workload)| {
            let split = w.split.as_ref()?;
            Some((key.clone(), self.link.carries(key, split)))
        };
        self.workloads.iter().filter_map(carries).collect()
    }
}
