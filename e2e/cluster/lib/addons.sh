# shellcheck shell=bash
# What a cluster of users would have besides: an ingress data plane with Gateway API, and Prometheus. Sourced, not run.

start_traefik() {
  kubectl apply --server-side -f "$DIR/gateway-api/" >/dev/null
  start traefik env KUBECONFIG="$DIR/pki/admin.kubeconfig" bin/traefik \
    --global.checknewversion=false --global.sendanonymoususage=false --log.level=INFO --ping=true \
    --entrypoints.web.address="$NODE_IP:80" --entrypoints.traefik.address=127.0.0.1:9000 --api.insecure=true \
    --providers.kubernetesingressnginx=true --providers.kubernetesingressnginx.httpentrypoint=web \
    --providers.kubernetesgateway=true --providers.kubernetesgateway.statusaddress.ip="$NODE_IP"
  kubectl apply -f - >/dev/null <<T
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: traefik}
spec: {controllerName: traefik.io/gateway-controller}
---
apiVersion: v1
kind: Namespace
metadata: {name: traefik}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: traefik, namespace: traefik}
spec:
  gatewayClassName: traefik
  listeners:
  - {name: web, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
T
  await traefik 60 listening "$NODE_IP" 80
  await traefik 60 gateway_programmed
}

gateway_programmed() {
  kubectl -n traefik get gateway traefik -o 'jsonpath={.status.conditions[?(@.type=="Programmed")].status}' | grep -q True
}

# Debian's Prometheus beside the cluster, known inside under the address that the example's templates name. It scrapes the
# pods with the usual annotations, and every label of a pod becomes a label of its series.
start_prometheus() {
  cat >"$DIR/prometheus.yaml" <<T
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
scrape_configs:
- job_name: pods
  file_sd_configs: [{files: [$DIR/targets.json]}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], regex: "true", action: keep}
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path], regex: (.+), target_label: __metrics_path__}
  - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
    regex: (.+);(\d+)
    replacement: \$1:\$2
    target_label: __address__
  - {regex: __meta_kubernetes_pod_label_(.+), action: labelmap}
  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
T
  # Debian's build does not know Kubernetes by itself.
  start discovery "$E2E/cluster/discovery" "https://$NODE_IP:6443" admin-token "$DIR/pki/ca.crt" "$DIR/targets.json"
  start prometheus prometheus --config.file="$DIR/prometheus.yaml" --storage.tsdb.path="$DIR/prometheus" \
    --storage.tsdb.retention.time=6h --web.listen-address="$NODE_IP:9090"
  kubectl apply -f - >/dev/null <<T
apiVersion: v1
kind: Namespace
metadata: {name: monitoring}
---
apiVersion: v1
kind: Service
metadata: {name: prometheus, namespace: monitoring}
spec: {ports: [{name: http, port: 9090}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: prometheus, namespace: monitoring, labels: {kubernetes.io/service-name: prometheus}}
addressType: IPv4
ports: [{name: http, port: 9090}]
endpoints: [{addresses: ["$NODE_IP"], conditions: {ready: true}}]
T
  await prometheus 60 listening "$NODE_IP" 9090
}
