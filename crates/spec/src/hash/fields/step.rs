//! Fields of a canary step, in the order of Argo Rollouts 1.10.

use super::pod::LABEL_SELECTOR;
use super::table::*;

table!(CANARY_STEP:
    "setWeight" Set INT, "pause" Set object(&ROLLOUT_PAUSE), "experiment" Set object(&ROLLOUT_EXPERIMENT_STEP),
    "analysis" Set object(&ROLLOUT_ANALYSIS), "setCanaryScale" Set object(&SET_CANARY_SCALE),
    "setHeaderRoute" Set object(&SET_HEADER_ROUTE), "setMirrorRoute" Set object(&SET_MIRROR_ROUTE),
    "plugin" Set object(&PLUGIN_STEP),
);
table!(ROLLOUT_PAUSE: "duration" Set INT_OR_TEXT);
table!(ROLLOUT_EXPERIMENT_STEP:
    "templates" Always list(&ROLLOUT_EXPERIMENT_TEMPLATE), "duration" Full TEXT,
    "analyses" Full list(&ROLLOUT_EXPERIMENT_STEP_ANALYSIS_TEMPLATE_REF), "dryRun" Full list(&DRY_RUN),
    "analysisRunMetadata" Always object(&ANALYSIS_RUN_METADATA), "scaleDownDelaySeconds" Set INT,
);
table!(ROLLOUT_EXPERIMENT_TEMPLATE:
    "name" Always TEXT, "specRef" Always TEXT, "replicas" Set INT, "metadata" Always object(&POD_TEMPLATE_METADATA),
    "selector" Set object(&LABEL_SELECTOR), "weight" Set INT, "service" Set object(&TEMPLATE_SERVICE),
);
table!(POD_TEMPLATE_METADATA: "labels" Full LABELS, "annotations" Full LABELS);
table!(TEMPLATE_SERVICE: "name" Full TEXT);
table!(ROLLOUT_EXPERIMENT_STEP_ANALYSIS_TEMPLATE_REF:
    "name" Always TEXT, "templateName" Always TEXT, "clusterScope" Set BOOL,
    "args" Full list(&ANALYSIS_RUN_ARGUMENT), "requiredForCompletion" Full BOOL,
);
table!(ANALYSIS_RUN_ARGUMENT: "name" Always TEXT, "value" Full TEXT, "valueFrom" Set object(&ARGUMENT_VALUE_FROM));
table!(ARGUMENT_VALUE_FROM: "podTemplateHashValue" Set TEXT, "fieldRef" Set object(&FIELD_REF));
table!(FIELD_REF: "fieldPath" Always TEXT);
table!(DRY_RUN: "metricName" Always TEXT);
table!(ANALYSIS_RUN_METADATA: "labels" Full LABELS, "annotations" Full LABELS);
table!(ROLLOUT_ANALYSIS:
    "templates" Full list(&ANALYSIS_TEMPLATE_REF), "args" Full list(&ANALYSIS_RUN_ARGUMENT),
    "dryRun" Full list(&DRY_RUN), "measurementRetention" Full list(&MEASUREMENT_RETENTION),
    "analysisRunMetadata" Set object(&ANALYSIS_RUN_METADATA),
);
table!(ANALYSIS_TEMPLATE_REF: "templateName" Always TEXT, "clusterScope" Set BOOL);
table!(MEASUREMENT_RETENTION: "metricName" Always TEXT, "limit" Always INT);
table!(SET_CANARY_SCALE: "weight" Set INT, "replicas" Set INT, "matchTrafficWeight" Full BOOL);
table!(SET_HEADER_ROUTE: "name" Full TEXT, "match" Full list(&HEADER_ROUTING_MATCH));
table!(HEADER_ROUTING_MATCH: "headerName" Always TEXT, "headerValue" Null object(&STRING_MATCH));
table!(STRING_MATCH: "exact" Full TEXT, "prefix" Full TEXT, "regex" Full TEXT);
table!(SET_MIRROR_ROUTE: "name" Always TEXT, "match" Full list(&ROUTE_MATCH), "percentage" Set INT);
table!(ROUTE_MATCH:
    "method" Set object(&STRING_MATCH), "path" Set object(&STRING_MATCH), "headers" Full map(&STRING_MATCH),
);
table!(PLUGIN_STEP: "name" Always TEXT, "config" Set RAW);
