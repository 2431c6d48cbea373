//! Fields of the volumes of a pod, in the order of Kubernetes 0.34.

use super::pod::*;
use super::table::*;

table!(VOLUME:
    "name" Always TEXT, "hostPath" Set object(&HOST_PATH_VOLUME_SOURCE),
    "emptyDir" Set object(&EMPTY_DIR_VOLUME_SOURCE),
    "gcePersistentDisk" Set object(&GCE_PERSISTENT_DISK_VOLUME_SOURCE),
    "awsElasticBlockStore" Set object(&AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE),
    "gitRepo" Set object(&GIT_REPO_VOLUME_SOURCE), "secret" Set object(&SECRET_VOLUME_SOURCE),
    "nfs" Set object(&NFS_VOLUME_SOURCE), "iscsi" Set object(&ISCSI_VOLUME_SOURCE),
    "glusterfs" Set object(&GLUSTERFS_VOLUME_SOURCE),
    "persistentVolumeClaim" Set object(&PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE),
    "rbd" Set object(&RBD_VOLUME_SOURCE), "flexVolume" Set object(&FLEX_VOLUME_SOURCE),
    "cinder" Set object(&CINDER_VOLUME_SOURCE), "cephfs" Set object(&CEPH_FS_VOLUME_SOURCE),
    "flocker" Set object(&FLOCKER_VOLUME_SOURCE), "downwardAPI" Set object(&DOWNWARD_API_VOLUME_SOURCE),
    "fc" Set object(&FC_VOLUME_SOURCE), "azureFile" Set object(&AZURE_FILE_VOLUME_SOURCE),
    "configMap" Set object(&CONFIG_MAP_VOLUME_SOURCE),
    "vsphereVolume" Set object(&VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE), "quobyte" Set object(&QUOBYTE_VOLUME_SOURCE),
    "azureDisk" Set object(&AZURE_DISK_VOLUME_SOURCE),
    "photonPersistentDisk" Set object(&PHOTON_PERSISTENT_DISK_VOLUME_SOURCE),
    "projected" Set object(&PROJECTED_VOLUME_SOURCE), "portworxVolume" Set object(&PORTWORX_VOLUME_SOURCE),
    "scaleIO" Set object(&SCALE_IO_VOLUME_SOURCE), "storageos" Set object(&STORAGE_OS_VOLUME_SOURCE),
    "csi" Set object(&CSI_VOLUME_SOURCE), "ephemeral" Set object(&EPHEMERAL_VOLUME_SOURCE),
    "image" Set object(&IMAGE_VOLUME_SOURCE),
);
table!(HOST_PATH_VOLUME_SOURCE: "path" Always TEXT, "type" Set TEXT);
table!(EMPTY_DIR_VOLUME_SOURCE: "medium" Full TEXT, "sizeLimit" Set AMOUNT);
table!(GCE_PERSISTENT_DISK_VOLUME_SOURCE:
    "pdName" Always TEXT, "fsType" Full TEXT, "partition" Full INT, "readOnly" Full BOOL,
);
table!(AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE:
    "volumeID" Always TEXT, "fsType" Full TEXT, "partition" Full INT, "readOnly" Full BOOL,
);
table!(GIT_REPO_VOLUME_SOURCE: "repository" Always TEXT, "revision" Full TEXT, "directory" Full TEXT);
table!(SECRET_VOLUME_SOURCE:
    "secretName" Full TEXT, "items" Full list(&KEY_TO_PATH), "defaultMode" Set INT, "optional" Set BOOL,
);
table!(KEY_TO_PATH: "key" Always TEXT, "path" Always TEXT, "mode" Set INT);
table!(NFS_VOLUME_SOURCE: "server" Always TEXT, "path" Always TEXT, "readOnly" Full BOOL);
table!(ISCSI_VOLUME_SOURCE:
    "targetPortal" Always TEXT, "iqn" Always TEXT, "lun" Always INT, "iscsiInterface" Full TEXT, "fsType" Full TEXT,
    "readOnly" Full BOOL, "portals" Full STRINGS, "chapAuthDiscovery" Full BOOL, "chapAuthSession" Full BOOL,
    "secretRef" Set object(&LOCAL_OBJECT_REFERENCE), "initiatorName" Set TEXT,
);
table!(GLUSTERFS_VOLUME_SOURCE: "endpoints" Always TEXT, "path" Always TEXT, "readOnly" Full BOOL);
table!(PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE: "claimName" Always TEXT, "readOnly" Full BOOL);
table!(RBD_VOLUME_SOURCE:
    "monitors" Always STRINGS, "image" Always TEXT, "fsType" Full TEXT, "pool" Full TEXT, "user" Full TEXT,
    "keyring" Full TEXT, "secretRef" Set object(&LOCAL_OBJECT_REFERENCE), "readOnly" Full BOOL,
);
table!(FLEX_VOLUME_SOURCE:
    "driver" Always TEXT, "fsType" Full TEXT, "secretRef" Set object(&LOCAL_OBJECT_REFERENCE), "readOnly" Full BOOL,
    "options" Full LABELS,
);
table!(CINDER_VOLUME_SOURCE:
    "volumeID" Always TEXT, "fsType" Full TEXT, "readOnly" Full BOOL,
    "secretRef" Set object(&LOCAL_OBJECT_REFERENCE),
);
table!(CEPH_FS_VOLUME_SOURCE:
    "monitors" Always STRINGS, "path" Full TEXT, "user" Full TEXT, "secretFile" Full TEXT,
    "secretRef" Set object(&LOCAL_OBJECT_REFERENCE), "readOnly" Full BOOL,
);
table!(FLOCKER_VOLUME_SOURCE: "datasetName" Full TEXT, "datasetUUID" Full TEXT);
table!(DOWNWARD_API_VOLUME_SOURCE: "items" Full list(&DOWNWARD_API_VOLUME_FILE), "defaultMode" Set INT);
table!(DOWNWARD_API_VOLUME_FILE:
    "path" Always TEXT, "fieldRef" Set object(&OBJECT_FIELD_SELECTOR),
    "resourceFieldRef" Set object(&RESOURCE_FIELD_SELECTOR), "mode" Set INT,
);
table!(FC_VOLUME_SOURCE:
    "targetWWNs" Full STRINGS, "lun" Set INT, "fsType" Full TEXT, "readOnly" Full BOOL, "wwids" Full STRINGS,
);
table!(AZURE_FILE_VOLUME_SOURCE: "secretName" Always TEXT, "shareName" Always TEXT, "readOnly" Full BOOL);
table!(CONFIG_MAP_VOLUME_SOURCE:
    "name" Full TEXT, "items" Full list(&KEY_TO_PATH), "defaultMode" Set INT, "optional" Set BOOL,
);
table!(VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE:
    "volumePath" Always TEXT, "fsType" Full TEXT, "storagePolicyName" Full TEXT, "storagePolicyID" Full TEXT,
);
table!(QUOBYTE_VOLUME_SOURCE:
    "registry" Always TEXT, "volume" Always TEXT, "readOnly" Full BOOL, "user" Full TEXT, "group" Full TEXT,
    "tenant" Full TEXT,
);
table!(AZURE_DISK_VOLUME_SOURCE:
    "diskName" Always TEXT, "diskURI" Always TEXT, "cachingMode" Set TEXT, "fsType" Set TEXT, "readOnly" Set BOOL,
    "kind" Set TEXT,
);
table!(PHOTON_PERSISTENT_DISK_VOLUME_SOURCE: "pdID" Always TEXT, "fsType" Full TEXT);
table!(PROJECTED_VOLUME_SOURCE: "sources" Always list(&VOLUME_PROJECTION), "defaultMode" Set INT);
table!(VOLUME_PROJECTION:
    "secret" Set object(&SECRET_PROJECTION), "downwardAPI" Set object(&DOWNWARD_API_PROJECTION),
    "configMap" Set object(&CONFIG_MAP_PROJECTION),
    "serviceAccountToken" Set object(&SERVICE_ACCOUNT_TOKEN_PROJECTION),
    "clusterTrustBundle" Set object(&CLUSTER_TRUST_BUNDLE_PROJECTION),
    "podCertificate" Set object(&POD_CERTIFICATE_PROJECTION),
);
table!(SECRET_PROJECTION: "name" Full TEXT, "items" Full list(&KEY_TO_PATH), "optional" Set BOOL);
table!(DOWNWARD_API_PROJECTION: "items" Full list(&DOWNWARD_API_VOLUME_FILE));
table!(CONFIG_MAP_PROJECTION: "name" Full TEXT, "items" Full list(&KEY_TO_PATH), "optional" Set BOOL);
table!(SERVICE_ACCOUNT_TOKEN_PROJECTION: "audience" Full TEXT, "expirationSeconds" Set INT, "path" Always TEXT);
table!(CLUSTER_TRUST_BUNDLE_PROJECTION:
    "name" Set TEXT, "signerName" Set TEXT, "labelSelector" Set object(&LABEL_SELECTOR), "optional" Set BOOL,
    "path" Always TEXT,
);
table!(POD_CERTIFICATE_PROJECTION:
    "signerName" Full TEXT, "keyType" Full TEXT, "maxExpirationSeconds" Set INT, "credentialBundlePath" Full TEXT,
    "keyPath" Full TEXT, "certificateChainPath" Full TEXT,
);
table!(PORTWORX_VOLUME_SOURCE: "volumeID" Always TEXT, "fsType" Full TEXT, "readOnly" Full BOOL);
table!(SCALE_IO_VOLUME_SOURCE:
    "gateway" Always TEXT, "system" Always TEXT, "secretRef" Null object(&LOCAL_OBJECT_REFERENCE),
    "sslEnabled" Full BOOL, "protectionDomain" Full TEXT, "storagePool" Full TEXT, "storageMode" Full TEXT,
    "volumeName" Full TEXT, "fsType" Full TEXT, "readOnly" Full BOOL,
);
table!(STORAGE_OS_VOLUME_SOURCE:
    "volumeName" Full TEXT, "volumeNamespace" Full TEXT, "fsType" Full TEXT, "readOnly" Full BOOL,
    "secretRef" Set object(&LOCAL_OBJECT_REFERENCE),
);
table!(CSI_VOLUME_SOURCE:
    "driver" Always TEXT, "readOnly" Set BOOL, "fsType" Set TEXT, "volumeAttributes" Full LABELS,
    "nodePublishSecretRef" Set object(&LOCAL_OBJECT_REFERENCE),
);
table!(EPHEMERAL_VOLUME_SOURCE: "volumeClaimTemplate" Set object(&PERSISTENT_VOLUME_CLAIM_TEMPLATE));
table!(PERSISTENT_VOLUME_CLAIM_TEMPLATE:
    "metadata" Always object(&OBJECT_META), "spec" Always object(&PERSISTENT_VOLUME_CLAIM_SPEC),
);
table!(PERSISTENT_VOLUME_CLAIM_SPEC:
    "accessModes" Full STRINGS, "selector" Set object(&LABEL_SELECTOR),
    "resources" Always object(&VOLUME_RESOURCE_REQUIREMENTS), "volumeName" Full TEXT, "storageClassName" Set TEXT,
    "volumeMode" Set TEXT, "dataSource" Set object(&TYPED_LOCAL_OBJECT_REFERENCE),
    "dataSourceRef" Set object(&TYPED_OBJECT_REFERENCE), "volumeAttributesClassName" Set TEXT,
);
table!(VOLUME_RESOURCE_REQUIREMENTS: "limits" Full AMOUNTS, "requests" Full AMOUNTS);
table!(TYPED_LOCAL_OBJECT_REFERENCE: "apiGroup" Null TEXT, "kind" Always TEXT, "name" Always TEXT);
table!(TYPED_OBJECT_REFERENCE: "apiGroup" Null TEXT, "kind" Always TEXT, "name" Always TEXT, "namespace" Set TEXT);
table!(IMAGE_VOLUME_SOURCE: "reference" Full TEXT, "pullPolicy" Full TEXT);
