//! Where the API server keeps the objects of a kind.

use serin_controller::write::Target;

/// A kind as the API server's paths name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// Group and version, `v1` for the core group.
    pub api_version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// The plural in paths.
    pub plural: &'static str,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
}

const fn namespaced(api_version: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource { api_version, kind, plural, namespaced: true }
}

/// `argoproj.io/v1alpha1`.
pub const ARGO: &str = "argoproj.io/v1alpha1";

/// Rollouts.
pub const ROLLOUT: Resource = namespaced(ARGO, "Rollout", "rollouts");
/// Analysis runs.
pub const ANALYSIS_RUN: Resource = namespaced(ARGO, "AnalysisRun", "analysisruns");
/// Templates of one namespace.
pub const ANALYSIS_TEMPLATE: Resource = namespaced(ARGO, "AnalysisTemplate", "analysistemplates");
/// Templates of all namespaces.
pub const CLUSTER_ANALYSIS_TEMPLATE: Resource = Resource {
    api_version: ARGO,
    kind: "ClusterAnalysisTemplate",
    plural: "clusteranalysistemplates",
    namespaced: false,
};
/// Experiments.
pub const EXPERIMENT: Resource = namespaced(ARGO, "Experiment", "experiments");
/// The pools.
pub const REPLICA_SET: Resource = namespaced("apps/v1", "ReplicaSet", "replicasets");
/// What `workloadRef` names.
pub const DEPLOYMENT: Resource = namespaced("apps/v1", "Deployment", "deployments");
/// What `workloadRef` may name, too.
pub const POD_TEMPLATE: Resource = namespaced("v1", "PodTemplate", "podtemplates");
/// Services.
pub const SERVICE: Resource = namespaced("v1", "Service", "services");
/// Pods.
pub const POD: Resource = namespaced("v1", "Pod", "pods");
/// Secrets: asked for by name, never listed.
pub const SECRET: Resource = namespaced("v1", "Secret", "secrets");
/// Config maps: those that arguments and the Gateway API plugin name.
pub const CONFIG_MAP: Resource = namespaced("v1", "ConfigMap", "configmaps");
/// Events.
pub const EVENT: Resource = namespaced("v1", "Event", "events");
/// Ingresses.
pub const INGRESS: Resource = namespaced("networking.k8s.io/v1", "Ingress", "ingresses");
/// HTTP routes of the Gateway API.
pub const HTTP_ROUTE: Resource = namespaced("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes");
/// gRPC routes of the Gateway API.
pub const GRPC_ROUTE: Resource = namespaced("gateway.networking.k8s.io/v1", "GRPCRoute", "grpcroutes");
/// Jobs of the job provider.
pub const JOB: Resource = namespaced("batch/v1", "Job", "jobs");
/// The lock of the leader.
pub const LEASE: Resource = namespaced("coordination.k8s.io/v1", "Lease", "leases");
/// Autoscalers: a move from a Deployment aims them anew.
pub const AUTOSCALER: Resource = namespaced("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
/// Disruption budgets.
pub const POD_DISRUPTION_BUDGET: Resource = namespaced("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets");
/// Namespaces.
pub const NAMESPACE: Resource =
    Resource { api_version: "v1", kind: "Namespace", plural: "namespaces", namespaced: false };
/// Service accounts.
pub const SERVICE_ACCOUNT: Resource = namespaced("v1", "ServiceAccount", "serviceaccounts");
/// Roles.
pub const ROLE: Resource = namespaced("rbac.authorization.k8s.io/v1", "Role", "roles");
/// Their bindings.
pub const ROLE_BINDING: Resource = namespaced("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings");
/// Roles of the whole cluster.
pub const CLUSTER_ROLE: Resource = Resource {
    api_version: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    plural: "clusterroles",
    namespaced: false,
};
/// Their bindings.
pub const CLUSTER_ROLE_BINDING: Resource = Resource {
    api_version: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    namespaced: false,
};
/// Definitions of kinds.
pub const DEFINITION: Resource = Resource {
    api_version: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespaced: false,
};

const ALL: [Resource; 27] = [
    ROLLOUT,
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    EXPERIMENT,
    REPLICA_SET,
    DEPLOYMENT,
    POD_TEMPLATE,
    SERVICE,
    POD,
    SECRET,
    CONFIG_MAP,
    EVENT,
    INGRESS,
    HTTP_ROUTE,
    GRPC_ROUTE,
    JOB,
    LEASE,
    AUTOSCALER,
    POD_DISRUPTION_BUDGET,
    NAMESPACE,
    SERVICE_ACCOUNT,
    ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    DEFINITION,
];

impl Resource {
    /// The kind of this group and name, if it is one that is ever asked for. The version does not matter: a group has one
    /// version here.
    pub fn find(api_version: &str, kind: &str) -> Option<Self> {
        let group = |text: &str| text.rsplit_once('/').map(|(group, _)| group.to_owned());
        ALL.into_iter().find(|one| one.kind == kind && group(one.api_version) == group(api_version))
    }

    /// The path of the objects of a namespace, or of all of them.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.api_version.contains('/') { "/apis" } else { "/api" };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural),
            None => format!("{root}/{}/{}", self.api_version, self.plural),
        }
    }

    /// The path of one object.
    pub fn object(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.path(Some(namespace)))
    }

    /// An object of this kind as the target of a write.
    pub fn target(&self, namespace: &str, name: &str) -> Target {
        Target::new(self.api_version, self.kind, if self.namespaced { namespace } else { "" }, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api_server() {
        assert_eq!(ROLLOUT.object("a", "b"), "/apis/argoproj.io/v1alpha1/namespaces/a/rollouts/b");
        assert_eq!(SERVICE.path(None), "/api/v1/services");
        assert_eq!(CLUSTER_ANALYSIS_TEMPLATE.object("a", "b"), "/apis/argoproj.io/v1alpha1/clusteranalysistemplates/b");
        assert_eq!(Resource::find("networking.k8s.io/v1beta1", "Ingress"), Some(INGRESS));
        assert_eq!(Resource::find("extensions/v1", "Deployment"), None);
    }
}
