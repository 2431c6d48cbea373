//! Fields of a pod template, in the order of Kubernetes 0.34: metadata and the pod itself.

use super::container::{
    APP_ARMOR_PROFILE, CONTAINER, EPHEMERAL_CONTAINER, RESOURCE_REQUIREMENTS, SE_LINUX_OPTIONS, SECCOMP_PROFILE,
    WINDOWS_SECURITY_CONTEXT_OPTIONS,
};
use super::table::*;
use super::volume::VOLUME;

table!(POD_TEMPLATE_SPEC: "metadata" Always object(&OBJECT_META), "spec" Always object(&POD_SPEC));
table!(OBJECT_META:
    "name" Full TEXT, "generateName" Full TEXT, "namespace" Full TEXT, "selfLink" Full TEXT, "uid" Full TEXT,
    "resourceVersion" Full TEXT, "generation" Full INT, "creationTimestamp" Zero TIME, "deletionTimestamp" Set TIME,
    "deletionGracePeriodSeconds" Set INT, "labels" Full LABELS, "annotations" Full LABELS,
    "ownerReferences" Full list(&OWNER_REFERENCE), "finalizers" Full STRINGS,
    "managedFields" Full list(&MANAGED_FIELDS_ENTRY),
);
table!(OWNER_REFERENCE:
    "apiVersion" Always TEXT, "kind" Always TEXT, "name" Always TEXT, "uid" Always TEXT, "controller" Set BOOL,
    "blockOwnerDeletion" Set BOOL,
);
table!(MANAGED_FIELDS_ENTRY:
    "manager" Full TEXT, "operation" Full TEXT, "apiVersion" Full TEXT, "time" Set TIME, "fieldsType" Full TEXT,
    "fieldsV1" Set RAW, "subresource" Full TEXT,
);
table!(POD_SPEC:
    "volumes" Full list(&VOLUME), "initContainers" Full list(&CONTAINER), "containers" Always list(&CONTAINER),
    "ephemeralContainers" Full list(&EPHEMERAL_CONTAINER), "restartPolicy" Full TEXT,
    "terminationGracePeriodSeconds" Set INT, "activeDeadlineSeconds" Set INT, "dnsPolicy" Full TEXT,
    "nodeSelector" Full LABELS, "serviceAccountName" Full TEXT, "serviceAccount" Full TEXT,
    "automountServiceAccountToken" Set BOOL, "nodeName" Full TEXT, "hostNetwork" Full BOOL, "hostPID" Full BOOL,
    "hostIPC" Full BOOL, "shareProcessNamespace" Set BOOL, "securityContext" Set object(&POD_SECURITY_CONTEXT),
    "imagePullSecrets" Full list(&LOCAL_OBJECT_REFERENCE), "hostname" Full TEXT, "subdomain" Full TEXT,
    "affinity" Set object(&AFFINITY), "schedulerName" Full TEXT, "tolerations" Full list(&TOLERATION),
    "hostAliases" Full list(&HOST_ALIAS), "priorityClassName" Full TEXT, "priority" Set INT,
    "dnsConfig" Set object(&POD_DNS_CONFIG), "readinessGates" Full list(&POD_READINESS_GATE),
    "runtimeClassName" Set TEXT, "enableServiceLinks" Set BOOL, "preemptionPolicy" Set TEXT,
    "overhead" Full AMOUNTS, "topologySpreadConstraints" Full list(&TOPOLOGY_SPREAD_CONSTRAINT),
    "setHostnameAsFQDN" Set BOOL, "os" Set object(&POD_OS), "hostUsers" Set BOOL,
    "schedulingGates" Full list(&POD_SCHEDULING_GATE), "resourceClaims" Full list(&POD_RESOURCE_CLAIM),
    "resources" Set object(&RESOURCE_REQUIREMENTS), "hostnameOverride" Set TEXT,
);
table!(LOCAL_OBJECT_REFERENCE: "name" Full TEXT);
table!(OBJECT_FIELD_SELECTOR: "apiVersion" Full TEXT, "fieldPath" Always TEXT);
table!(RESOURCE_FIELD_SELECTOR: "containerName" Full TEXT, "resource" Always TEXT, "divisor" Always AMOUNT);
table!(LABEL_SELECTOR: "matchLabels" Full LABELS, "matchExpressions" Full list(&LABEL_SELECTOR_REQUIREMENT));
table!(LABEL_SELECTOR_REQUIREMENT: "key" Always TEXT, "operator" Always TEXT, "values" Full STRINGS);
table!(POD_SECURITY_CONTEXT:
    "seLinuxOptions" Set object(&SE_LINUX_OPTIONS), "windowsOptions" Set object(&WINDOWS_SECURITY_CONTEXT_OPTIONS),
    "runAsUser" Set INT, "runAsGroup" Set INT, "runAsNonRoot" Set BOOL, "supplementalGroups" Full INTS,
    "supplementalGroupsPolicy" Set TEXT, "fsGroup" Set INT, "sysctls" Full list(&SYSCTL),
    "fsGroupChangePolicy" Set TEXT, "seccompProfile" Set object(&SECCOMP_PROFILE),
    "appArmorProfile" Set object(&APP_ARMOR_PROFILE), "seLinuxChangePolicy" Set TEXT,
);
table!(SYSCTL: "name" Always TEXT, "value" Always TEXT);
table!(AFFINITY:
    "nodeAffinity" Set object(&NODE_AFFINITY), "podAffinity" Set object(&POD_AFFINITY),
    "podAntiAffinity" Set object(&POD_ANTI_AFFINITY),
);
table!(NODE_AFFINITY:
    "requiredDuringSchedulingIgnoredDuringExecution" Set object(&NODE_SELECTOR),
    "preferredDuringSchedulingIgnoredDuringExecution" Full list(&PREFERRED_SCHEDULING_TERM),
);
table!(NODE_SELECTOR: "nodeSelectorTerms" Always list(&NODE_SELECTOR_TERM));
table!(NODE_SELECTOR_TERM:
    "matchExpressions" Full list(&NODE_SELECTOR_REQUIREMENT), "matchFields" Full list(&NODE_SELECTOR_REQUIREMENT),
);
table!(NODE_SELECTOR_REQUIREMENT: "key" Always TEXT, "operator" Always TEXT, "values" Full STRINGS);
table!(PREFERRED_SCHEDULING_TERM: "weight" Always INT, "preference" Always object(&NODE_SELECTOR_TERM));
table!(POD_AFFINITY:
    "requiredDuringSchedulingIgnoredDuringExecution" Full list(&POD_AFFINITY_TERM),
    "preferredDuringSchedulingIgnoredDuringExecution" Full list(&WEIGHTED_POD_AFFINITY_TERM),
);
table!(POD_AFFINITY_TERM:
    "labelSelector" Set object(&LABEL_SELECTOR), "namespaces" Full STRINGS, "topologyKey" Always TEXT,
    "namespaceSelector" Set object(&LABEL_SELECTOR), "matchLabelKeys" Full STRINGS,
    "mismatchLabelKeys" Full STRINGS,
);
table!(WEIGHTED_POD_AFFINITY_TERM: "weight" Always INT, "podAffinityTerm" Always object(&POD_AFFINITY_TERM));
table!(POD_ANTI_AFFINITY:
    "requiredDuringSchedulingIgnoredDuringExecution" Full list(&POD_AFFINITY_TERM),
    "preferredDuringSchedulingIgnoredDuringExecution" Full list(&WEIGHTED_POD_AFFINITY_TERM),
);
table!(TOLERATION:
    "key" Full TEXT, "operator" Full TEXT, "value" Full TEXT, "effect" Full TEXT, "tolerationSeconds" Set INT,
);
table!(HOST_ALIAS: "ip" Always TEXT, "hostnames" Full STRINGS);
table!(POD_DNS_CONFIG:
    "nameservers" Full STRINGS, "searches" Full STRINGS, "options" Full list(&POD_DNS_CONFIG_OPTION),
);
table!(POD_DNS_CONFIG_OPTION: "name" Full TEXT, "value" Set TEXT);
table!(POD_READINESS_GATE: "conditionType" Always TEXT);
table!(TOPOLOGY_SPREAD_CONSTRAINT:
    "maxSkew" Always INT, "topologyKey" Always TEXT, "whenUnsatisfiable" Always TEXT,
    "labelSelector" Set object(&LABEL_SELECTOR), "minDomains" Set INT, "nodeAffinityPolicy" Set TEXT,
    "nodeTaintsPolicy" Set TEXT, "matchLabelKeys" Full STRINGS,
);
table!(POD_OS: "name" Always TEXT);
table!(POD_SCHEDULING_GATE: "name" Always TEXT);
table!(POD_RESOURCE_CLAIM: "name" Always TEXT, "resourceClaimName" Set TEXT, "resourceClaimTemplateName" Set TEXT);
