//! Fields of a container, in the order of Kubernetes 0.34.

use super::pod::*;
use super::table::*;

table!(CONTAINER:
    "name" Always TEXT, "image" Full TEXT, "command" Full STRINGS, "args" Full STRINGS, "workingDir" Full TEXT,
    "ports" Full list(&CONTAINER_PORT), "envFrom" Full list(&ENV_FROM_SOURCE), "env" Full list(&ENV_VAR),
    "resources" Always object(&RESOURCE_REQUIREMENTS), "resizePolicy" Full list(&CONTAINER_RESIZE_POLICY),
    "restartPolicy" Set TEXT, "restartPolicyRules" Full list(&CONTAINER_RESTART_RULE),
    "volumeMounts" Full list(&VOLUME_MOUNT), "volumeDevices" Full list(&VOLUME_DEVICE),
    "livenessProbe" Set object(&PROBE), "readinessProbe" Set object(&PROBE), "startupProbe" Set object(&PROBE),
    "lifecycle" Set object(&LIFECYCLE), "terminationMessagePath" Full TEXT, "terminationMessagePolicy" Full TEXT,
    "imagePullPolicy" Full TEXT, "securityContext" Set object(&SECURITY_CONTEXT), "stdin" Full BOOL,
    "stdinOnce" Full BOOL, "tty" Full BOOL,
);
table!(CONTAINER_PORT:
    "name" Full TEXT, "hostPort" Full INT, "containerPort" Always INT, "protocol" Full TEXT, "hostIP" Full TEXT,
);
table!(ENV_FROM_SOURCE:
    "prefix" Full TEXT, "configMapRef" Set object(&CONFIG_MAP_ENV_SOURCE),
    "secretRef" Set object(&SECRET_ENV_SOURCE),
);
table!(CONFIG_MAP_ENV_SOURCE: "name" Full TEXT, "optional" Set BOOL);
table!(SECRET_ENV_SOURCE: "name" Full TEXT, "optional" Set BOOL);
table!(ENV_VAR: "name" Always TEXT, "value" Full TEXT, "valueFrom" Set object(&ENV_VAR_SOURCE));
table!(ENV_VAR_SOURCE:
    "fieldRef" Set object(&OBJECT_FIELD_SELECTOR), "resourceFieldRef" Set object(&RESOURCE_FIELD_SELECTOR),
    "configMapKeyRef" Set object(&CONFIG_MAP_KEY_SELECTOR), "secretKeyRef" Set object(&SECRET_KEY_SELECTOR),
    "fileKeyRef" Set object(&FILE_KEY_SELECTOR),
);
table!(CONFIG_MAP_KEY_SELECTOR: "name" Full TEXT, "key" Always TEXT, "optional" Set BOOL);
table!(SECRET_KEY_SELECTOR: "name" Full TEXT, "key" Always TEXT, "optional" Set BOOL);
table!(FILE_KEY_SELECTOR: "volumeName" Always TEXT, "path" Always TEXT, "key" Always TEXT, "optional" Set BOOL);
table!(RESOURCE_REQUIREMENTS: "limits" Full AMOUNTS, "requests" Full AMOUNTS, "claims" Full list(&RESOURCE_CLAIM));
table!(RESOURCE_CLAIM: "name" Always TEXT, "request" Full TEXT);
table!(CONTAINER_RESIZE_POLICY: "resourceName" Always TEXT, "restartPolicy" Always TEXT);
table!(CONTAINER_RESTART_RULE: "action" Full TEXT, "exitCodes" Set object(&CONTAINER_RESTART_RULE_ON_EXIT_CODES));
table!(CONTAINER_RESTART_RULE_ON_EXIT_CODES: "operator" Full TEXT, "values" Full INTS);
table!(VOLUME_MOUNT:
    "name" Always TEXT, "readOnly" Full BOOL, "recursiveReadOnly" Set TEXT, "mountPath" Always TEXT,
    "subPath" Full TEXT, "mountPropagation" Set TEXT, "subPathExpr" Full TEXT,
);
table!(VOLUME_DEVICE: "name" Always TEXT, "devicePath" Always TEXT);
table!(PROBE:
    "exec" Set object(&EXEC_ACTION), "httpGet" Set object(&HTTP_GET_ACTION),
    "tcpSocket" Set object(&TCP_SOCKET_ACTION), "grpc" Set object(&GRPC_ACTION), "initialDelaySeconds" Full INT,
    "timeoutSeconds" Full INT, "periodSeconds" Full INT, "successThreshold" Full INT, "failureThreshold" Full INT,
    "terminationGracePeriodSeconds" Set INT,
);
table!(EXEC_ACTION: "command" Full STRINGS);
table!(HTTP_GET_ACTION:
    "path" Full TEXT, "port" Always INT_OR_TEXT, "host" Full TEXT, "scheme" Full TEXT,
    "httpHeaders" Full list(&HTTP_HEADER),
);
table!(HTTP_HEADER: "name" Always TEXT, "value" Always TEXT);
table!(TCP_SOCKET_ACTION: "port" Always INT_OR_TEXT, "host" Full TEXT);
table!(GRPC_ACTION: "port" Always INT, "service" Null TEXT);
table!(LIFECYCLE:
    "postStart" Set object(&LIFECYCLE_HANDLER), "preStop" Set object(&LIFECYCLE_HANDLER), "stopSignal" Set TEXT,
);
table!(LIFECYCLE_HANDLER:
    "exec" Set object(&EXEC_ACTION), "httpGet" Set object(&HTTP_GET_ACTION),
    "tcpSocket" Set object(&TCP_SOCKET_ACTION), "sleep" Set object(&SLEEP_ACTION),
);
table!(SLEEP_ACTION: "seconds" Always INT);
table!(SECURITY_CONTEXT:
    "capabilities" Set object(&CAPABILITIES), "privileged" Set BOOL, "seLinuxOptions" Set object(&SE_LINUX_OPTIONS),
    "windowsOptions" Set object(&WINDOWS_SECURITY_CONTEXT_OPTIONS), "runAsUser" Set INT, "runAsGroup" Set INT,
    "runAsNonRoot" Set BOOL, "readOnlyRootFilesystem" Set BOOL, "allowPrivilegeEscalation" Set BOOL,
    "procMount" Set TEXT, "seccompProfile" Set object(&SECCOMP_PROFILE),
    "appArmorProfile" Set object(&APP_ARMOR_PROFILE),
);
table!(CAPABILITIES: "add" Full STRINGS, "drop" Full STRINGS);
table!(SE_LINUX_OPTIONS: "user" Full TEXT, "role" Full TEXT, "type" Full TEXT, "level" Full TEXT);
table!(WINDOWS_SECURITY_CONTEXT_OPTIONS:
    "gmsaCredentialSpecName" Set TEXT, "gmsaCredentialSpec" Set TEXT, "runAsUserName" Set TEXT,
    "hostProcess" Set BOOL,
);
table!(SECCOMP_PROFILE: "type" Always TEXT, "localhostProfile" Set TEXT);
table!(APP_ARMOR_PROFILE: "type" Always TEXT, "localhostProfile" Set TEXT);
table!(EPHEMERAL_CONTAINER:
    "name" Always TEXT, "image" Full TEXT, "command" Full STRINGS, "args" Full STRINGS, "workingDir" Full TEXT,
    "ports" Full list(&CONTAINER_PORT), "envFrom" Full list(&ENV_FROM_SOURCE), "env" Full list(&ENV_VAR),
    "resources" Always object(&RESOURCE_REQUIREMENTS), "resizePolicy" Full list(&CONTAINER_RESIZE_POLICY),
    "restartPolicy" Set TEXT, "restartPolicyRules" Full list(&CONTAINER_RESTART_RULE),
    "volumeMounts" Full list(&VOLUME_MOUNT), "volumeDevices" Full list(&VOLUME_DEVICE),
    "livenessProbe" Set object(&PROBE), "readinessProbe" Set object(&PROBE), "startupProbe" Set object(&PROBE),
    "lifecycle" Set object(&LIFECYCLE), "terminationMessagePath" Full TEXT, "terminationMessagePolicy" Full TEXT,
    "imagePullPolicy" Full TEXT, "securityContext" Set object(&SECURITY_CONTEXT), "stdin" Full BOOL,
    "stdinOnce" Full BOOL, "tty" Full BOOL, "targetContainerName" Full TEXT,
);
