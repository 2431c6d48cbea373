# shellcheck shell=bash
# The one node: a real kubelet with containerd, or a simulated one that calls every pod ready. Sourced, not run.

node_ready() { kubectl get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True; }

start_simulated_node() {
  local stages=() file
  for file in "$DIR"/stages/*.yaml; do stages+=("--config=$file"); done
  start kwok bin/kwok --kubeconfig=pki/admin.kubeconfig --manage-all-nodes=true --node-lease-duration-seconds=40 --node-ip="$NODE_IP" "${stages[@]}"
  kubectl apply -f - >/dev/null <<T
apiVersion: v1
kind: Node
metadata: {name: kwok-1, annotations: {kwok.x-k8s.io/node: fake}, labels: {type: kwok}}
status:
  allocatable: {cpu: "10000", memory: 10Ti, pods: "100000"}
  capacity: {cpu: "10000", memory: 10Ti, pods: "100000"}
T
  await kwok 60 node_ready kwok-1
}

start_node() {
  start_containerd
  start_kubelet
  start_proxy
  start_dns
  await kubelet 120 node_ready node1
  await proxy 60 listening 127.0.0.1 10256
  await dns 60 listening "$NODE_IP" 53
}

# Overlay cannot lie on overlay, which is what a container's own files often are; copying is slower but always works.
snapshotter() { if [ "$(stat -f -c %T "$DIR")" = overlayfs ]; then echo native; else echo overlayfs; fi; }

containers() { inside ctr --address "$DIR/containerd/containerd.sock" --namespace k8s.io "$@"; }

start_containerd() {
  # An out-of-memory score below the present one needs CAP_SYS_RESOURCE; without this line no sandbox would start.
  cat >"$DIR/containerd/config.toml" <<T
version = 2
root = "$DIR/containerd/root"
state = "$DIR/containerd/state"
[grpc]
  address = "$DIR/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "local/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$DIR/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$(snapshotter)"
T
  cat >"$DIR/cni/10-pods.conflist" <<T
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$POD_RANGE"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
T
  start containerd containerd --config "$DIR/containerd/config.toml"
  await containerd 30 containers version
  "$E2E/cluster/image" "$DIR/images/pause.tar" --file "$DIR/bin/init:/pause" --image local/pause:1 '["/pause"]'
  import_image "$DIR/images/pause.tar"
}

import_image() { containers images import --snapshotter "$(snapshotter)" "$1" >/dev/null; }

start_kubelet() {
  # Kubernetes asks for the second version of cgroups unless told otherwise; either is fine here.
  cat >"$DIR/kubelet.yaml" <<T
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $DIR/pki/ca.crt}}
cgroupDriver: cgroupfs
cgroupRoot: /$(cgroup)
clusterDNS: [$NODE_IP]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix://$DIR/containerd/containerd.sock
enforceNodeAllocatable: [pods]
# A disk that is nearly full is the machine's affair and no reason to evict pods of a test.
evictionHard: {nodefs.available: "1%", imagefs.available: "1%", memory.available: 50Mi}
failCgroupV1: false
failSwapOn: false
imageGCHighThresholdPercent: 100
localStorageCapacityIsolation: false
maxPods: 250
registryPullQPS: 0
resolvConf: $DIR/resolv.conf
syncFrequency: 10s
volumePluginDir: $DIR/kubelet/plugins
T
  start kubelet bin/kubelet --config=kubelet.yaml --kubeconfig=pki/node.kubeconfig --hostname-override=node1 --node-ip="$NODE_IP" \
    --root-dir="$DIR/kubelet" --cert-dir="$DIR/kubelet/pki"
}

start_proxy() {
  cat >"$DIR/proxy.yaml" <<T
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $POD_RANGE
clientConnection: {kubeconfig: $DIR/pki/proxy.kubeconfig}
hostnameOverride: node1
# The table of connections is the whole machine's, and its size not ours to change.
conntrack: {maxPerCore: 0}
T
  start proxy bin/kube-proxy --config=proxy.yaml
}

start_dns() {
  cat >"$DIR/Corefile" <<T
cluster.local:53 {
  bind $NODE_IP
  kubernetes cluster.local {
    kubeconfig $DIR/pki/admin.kubeconfig
  }
  errors
}
T
  start dns bin/coredns -conf Corefile
}
