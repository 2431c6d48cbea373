# shellcheck shell=bash
# Certificates, tokens and kubeconfigs. Sourced, not run.

# A certificate of our authority: `certificate NAME SUBJECT EXTENSIONS`.
certificate() {
  local name=$1 subject=$2 extensions=$3
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.csr" -subj "$subject"
  openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -out "$name.crt" -extfile <(echo "$extensions")
}

make_certificates() (
  cd "$DIR/pki" || exit
  exec 2>openssl.log # it tells its life on the error stream
  openssl ecparam -name prime256v1 -genkey -noout -out sa.key
  openssl ec -in sa.key -pubout -out sa.pub
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 365 -subj /CN=serin-e2e
  certificate api /CN=kube-apiserver \
    "subjectAltName=IP:127.0.0.1,IP:$NODE_IP,IP:$API_SERVICE_IP,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  # With it the API server asks the kubelet for logs and shells.
  certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client extendedKeyUsage=clientAuth
)

# Users by token. `controller` and `argo` are for controllers under test: with --audit every request of theirs is written down.
make_identities() {
  local token user groups
  while read -r token user groups; do
    echo "$token-token,$user,$token,\"$groups\"" >>"$DIR/pki/tokens.csv"
    kubeconfig "$token" "$token-token"
  done <<T
admin admin system:masters
controller controller system:masters
argo argo system:masters
controller-manager system:kube-controller-manager
scheduler system:kube-scheduler
proxy system:kube-proxy
node system:node:node1 system:nodes
T
}

kubeconfig() {
  cat >"$DIR/pki/$1.kubeconfig" <<K
apiVersion: v1
kind: Config
current-context: e2e
contexts: [{name: e2e, context: {cluster: e2e, user: $1}}]
users: [{name: $1, user: {token: $2}}]
clusters: [{name: e2e, cluster: {server: "https://$NODE_IP:6443", certificate-authority: "$DIR/pki/ca.crt"}}]
K
}
