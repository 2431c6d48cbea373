//! The objects of a namespace that a picture of its rollouts is drawn from, read once.

use serde::de::DeserializeOwned;
use serin_cluster::Error;
use serin_cluster::resource::{ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, ROLLOUT, SERVICE};
use serin_controller::Object;
use serin_controller::templates::Templates;
use serin_kubectl::Family;

use super::Cluster;

/// Everything of one namespace.
pub(crate) struct Seen {
    /// Rollouts.
    pub(crate) rollouts: Vec<Object>,
    /// What rollouts and experiments own.
    pub(crate) family: Family,
    /// Services.
    pub(crate) services: Vec<Object>,
    /// Templates of analyses.
    pub(crate) templates: Templates,
}

impl Seen {
    /// Reads them.
    pub(crate) async fn read(cluster: &Cluster) -> Result<Self, Error> {
        let (rollouts, family, services, namespaced, of_cluster) = tokio::try_join!(
            cluster.client.list(ROLLOUT, Some(&cluster.namespace), ""),
            cluster.family(),
            cluster.all(SERVICE),
            cluster.all(ANALYSIS_TEMPLATE),
            permitted(cluster),
        )?;
        let templates = Templates { namespaced: wires(&namespaced), cluster: of_cluster.map(|all| wires(&all)) };
        Ok(Self { rollouts, family, services, templates })
    }
}

/// The templates of the cluster, where they may be read.
async fn permitted(cluster: &Cluster) -> Result<Option<Vec<Object>>, Error> {
    match cluster.all(CLUSTER_ANALYSIS_TEMPLATE).await {
        Err(error) if error.code() == 403 => Ok(None),
        all => all.map(Some),
    }
}

/// Objects as Argo's types; what has a form that nobody here knows is left out.
pub(super) fn wires<T: DeserializeOwned>(objects: &[Object]) -> Vec<T> {
    objects.iter().filter_map(|object| serde_json::from_value(object.0.clone()).ok()).collect()
}
