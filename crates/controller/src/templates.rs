//! Analysis templates that a controller can see.

use serin_spec::wire::analysis::{AnalysisTemplate, AnalysisTemplateSpec, ClusterAnalysisTemplate};
use serin_spec::wire::canary::AnalysisTemplateRef;

/// The templates of a rollout's namespace, and those of the cluster.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// Those of the namespace.
    pub namespaced: Vec<AnalysisTemplate>,
    /// Those of the cluster; `None` for a controller that is bound to one namespace and may not read them.
    pub cluster: Option<Vec<ClusterAnalysisTemplate>>,
}

impl Templates {
    /// The template that a reference means. A reference to one of the cluster never resolves where those are not read, also if
    /// the namespace has one of that name.
    //= compat: 3.15-1
    pub fn find(&self, reference: &AnalysisTemplateRef) -> Option<&AnalysisTemplateSpec> {
        let name = reference.template_name.as_str();
        match reference.is_cluster_scope() {
            true => self.cluster.iter().flatten().find(|one| one.metadata.name() == name).map(|one| &one.spec),
            false => self.namespaced.iter().find(|one| one.metadata.name() == name).map(|one| &one.spec),
        }
    }
}
