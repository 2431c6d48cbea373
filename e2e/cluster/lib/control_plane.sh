# shellcheck shell=bash
# etcd, API server, controller manager and scheduler. Sourced, not run.

start_control_plane() {
  local nodes=$1 audit=$2 grace=300s
  start etcd bin/etcd --data-dir "$DIR/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380

  local audited=()
  if [ -n "$audit" ]; then
    cat >"$DIR/pki/audit.yaml" <<T
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: Metadata, users: [controller, argo]}
# The changes that a controller answers, for the times between the two.
- {level: Metadata, users: [admin], verbs: [patch, update], resources: [{group: argoproj.io, resources: [rollouts]}]}
- {level: None}
T
    audited=(--audit-policy-file=pki/audit.yaml --audit-log-path=log/audit.jsonl --audit-log-mode=batch)
  fi
  # Not on by default, but on OpenShift and wherever an administrator wants it: who says that an object keeps its owner from being
  # deleted needs a permission. Tests see whether ours has it.
  start apiserver bin/kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --advertise-address="$NODE_IP" \
    --tls-cert-file=pki/api.crt --tls-private-key-file=pki/api.key --client-ca-file=pki/ca.crt --token-auth-file=pki/tokens.csv \
    --authorization-mode=Node,RBAC --enable-admission-plugins=OwnerReferencesPermissionEnforcement \
    --service-cluster-ip-range="$SERVICE_RANGE" --allow-privileged=true \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key \
    --kubelet-preferred-address-types=InternalIP --kubelet-client-certificate=pki/kubelet-client.crt --kubelet-client-key=pki/kubelet-client.key \
    "${audited[@]}"
  await apiserver 90 kubectl get --raw /readyz

  # Tests stop the API server for a minute. Whoever comes back first, kubelet or controller manager, decides whether the node counts
  # as gone then, and with it every pod, unless a node may be silent for longer.
  # A simulated node renews its lease late when a thousand pods start at once; gone, it would take all of them along.
  [ "$nodes" != kwok ] || grace=3600s
  start controller-manager bin/kube-controller-manager --kubeconfig=pki/controller-manager.kubeconfig --leader-elect=false \
    --service-account-private-key-file=pki/sa.key --root-ca-file=pki/ca.crt --use-service-account-credentials \
    --allocate-node-cidrs=false --cluster-cidr="$POD_RANGE" --node-monitor-grace-period="$grace" \
    --concurrent-replicaset-syncs=10 --horizontal-pod-autoscaler-sync-period=5s
  start scheduler bin/kube-scheduler --kubeconfig=pki/scheduler.kubeconfig --leader-elect=false
  # Made by the controller manager: from here on namespaces and pods come to life.
  await controller-manager 60 kubectl get serviceaccount default
}
