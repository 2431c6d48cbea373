//! Labels and annotations that Argo's objects carry, spelled as Argo spells them.

/// Label with the pod-template hash.
pub const HASH_LABEL: &str = "rollouts-pod-template-hash";
/// Label that says which controller an object belongs to.
pub const INSTANCE_LABEL: &str = "argo-rollouts.argoproj.io/controller-instance-id";
/// Annotation with the revision of a pool, a run or a rollout.
pub const REVISION: &str = "rollout.argoproj.io/revision";
/// Annotation of a pool with its former revisions.
pub const REVISION_HISTORY: &str = "rollout.argoproj.io/revision-history";
/// Annotation of a pool with the rollout's replicas when it was last scaled.
pub const DESIRED_REPLICAS: &str = "rollout.argoproj.io/desired-replicas";
/// Annotation of a pool with the labels and annotations that were put on its pods for its role.
pub const EPHEMERAL_METADATA: &str = "rollout.argoproj.io/ephemeral-metadata";
/// Annotation of a rollout with the generation of the object that holds its template.
pub const WORKLOAD_GENERATION: &str = "rollout.argoproj.io/workload-generation";
/// Annotation of a pool with the time at which it goes to zero. It has no prefix.
//= compat: 2.3-17, 10.25
pub const SCALE_DOWN_DEADLINE: &str = "scale-down-deadline";
/// Annotation of a service with the rollout that changes it.
//= compat: 2.3-18
pub const MANAGED_BY: &str = "argo-rollouts.argoproj.io/managed-by-rollouts";
