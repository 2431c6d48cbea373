//! The kinds that are read, and what is probably meant by others.

use super::nearest::nearest;
use crate::document::quoted;

/// A kind that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Known {
    Rollout,
    AnalysisTemplate,
    ClusterAnalysisTemplate,
    AnalysisRun,
    Experiment,
    Service,
    Ingress,
    ConfigMap,
    Secret,
    Namespace,
}

const ARGO: &str = "argoproj.io/v1alpha1";

impl Known {
    //= compat: 1.1-1, 1.1-2
    pub(crate) const ALL: [(Known, &str, &str); 10] = [
        (Known::Rollout, ARGO, "Rollout"),
        (Known::AnalysisTemplate, ARGO, "AnalysisTemplate"),
        (Known::ClusterAnalysisTemplate, ARGO, "ClusterAnalysisTemplate"),
        (Known::AnalysisRun, ARGO, "AnalysisRun"),
        (Known::Experiment, ARGO, "Experiment"),
        (Known::Service, "v1", "Service"),
        (Known::Ingress, "networking.k8s.io/v1", "Ingress"),
        (Known::ConfigMap, "v1", "ConfigMap"),
        (Known::Secret, "v1", "Secret"),
        (Known::Namespace, "v1", "Namespace"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Known::ALL.iter().find(|(known, ..)| *known == self).map_or("", |(.., kind)| kind)
    }
}

/// What `apiVersion` and `kind` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recognised {
    Known(Known),
    /// Something that a cluster may know.
    Foreign,
    /// Almost something that we know.
    NearMiss {
        /// The field that is wrong.
        field: &'static str,
        message: String,
        hint: String,
    },
}

/// Sorts an object by what it says that it is.
pub(crate) fn recognise(api_version: &str, kind: &str) -> Recognised {
    if let Some((known, ..)) = Known::ALL.iter().find(|(_, version, name)| *version == api_version && *name == kind) {
        return Recognised::Known(*known);
    }
    if let Some((_, version, name)) = Known::ALL.iter().find(|(.., name)| *name == kind) {
        if !is_elsewhere(api_version, name) {
            let message = format!("there is no {name} in {}", quoted(api_version));
            return Recognised::NearMiss { field: "apiVersion", message, hint: format!("did you mean {version:?}?") };
        }
        return Recognised::Foreign;
    }
    let here = Known::ALL.iter().filter(|(_, version, _)| *version == api_version || alike(version, api_version));
    match nearest(kind, here.map(|(.., name)| *name)) {
        Some(name) if !is_extension(name, kind) => Recognised::NearMiss {
            field: "kind",
            message: format!("there is no kind {} in {}", quoted(kind), quoted(api_version)),
            hint: format!("did you mean {name:?}?"),
        },
        _ => Recognised::Foreign,
    }
}

/// A longer kind with the same end, such as `ServiceAccount` or `ClusterRole`, is another kind and no slip.
fn is_extension(name: &str, kind: &str) -> bool {
    kind.len() > name.len() + 2 && (kind.starts_with(name) || kind.ends_with(name))
}

fn alike(version: &str, written: &str) -> bool {
    nearest(written, [version]).is_some()
}

/// Whether a kind of this name can well exist in another group: Knative has a `Service`, other projects an
/// `Experiment`. Kubernetes' own groups and near misses of the right one cannot be meant.
fn is_elsewhere(api_version: &str, name: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let ours = matches!(name, "Rollout" | "AnalysisTemplate" | "ClusterAnalysisTemplate" | "AnalysisRun");
    let kubernetes = !group.contains('.') || group.ends_with(".k8s.io");
    !ours && !kubernetes && !group.ends_with("argoproj.io") && !alike(ARGO, api_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near_miss(api_version: &str, kind: &str, field: &str, meant: &str) {
        match recognise(api_version, kind) {
            Recognised::NearMiss { field: found, hint, .. } => {
                assert_eq!((found, hint), (field, format!("did you mean {meant:?}?")), "{api_version} {kind}");
            }
            other => panic!("{api_version} {kind}: {other:?}"),
        }
    }

    //= compat: 1.1-1, 1.1-2
    #[test]
    fn every_known_kind_is_recognised() {
        for (known, api_version, kind) in Known::ALL {
            assert_eq!(recognise(api_version, kind), Recognised::Known(known));
        }
    }

    #[test]
    fn near_misses_are_told_apart_from_other_kinds() {
        near_miss(ARGO, "Rollouts", "kind", "Rollout");
        near_miss(ARGO, "rollout", "kind", "Rollout");
        near_miss(ARGO, "AnalysisTemplates", "kind", "AnalysisTemplate");
        near_miss("v1", "Servce", "kind", "Service");
        near_miss("argoproj.io/v1", "Rollout", "apiVersion", ARGO);
        near_miss("apps/v1", "Rollout", "apiVersion", ARGO);
        near_miss("argoproj.io/v1alpha", "Experiment", "apiVersion", ARGO);
        near_miss("extensions/v1beta1", "Ingress", "apiVersion", "networking.k8s.io/v1");
        near_miss("networking.k8s.io/v1beta1", "Ingress", "apiVersion", "networking.k8s.io/v1");
        near_miss("apps/v1", "Service", "apiVersion", "v1");
    }

    #[test]
    fn other_kinds_are_left_alone() {
        for (api_version, kind) in [
            ("apps/v1", "Deployment"),
            ("v1", "ServiceAccount"),
            ("v1", "Pod"),
            ("networking.k8s.io/v1", "IngressClass"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("serving.knative.dev/v1", "Service"),
            ("monitoring.coreos.com/v1", "ServiceMonitor"),
            ("autoscaling/v2", "HorizontalPodAutoscaler"),
            ("argoproj.io/v1alpha1", "Application"),
            ("argoproj.io/v1alpha1", "Workflow"),
            ("kubeflow.org/v1beta1", "Experiment"),
        ] {
            assert_eq!(recognise(api_version, kind), Recognised::Foreign, "{api_version} {kind}");
        }
    }
}
