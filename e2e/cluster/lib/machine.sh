# shellcheck shell=bash
# The machine that the cluster believes to run on: namespaces for network, mounts and processes whose first process, once
# killed, takes everything with it. Sourced, not run.

# Names what is missing instead of failing at some later command.
require_rights() {
  local effective lacking=()
  [ "$(uname -s)" = Linux ] || die "the test cluster needs Linux"
  [ "$(id -u)" = 0 ] || die "the test cluster needs root: kubelet and containerd mount file systems and make network namespaces"
  effective=$((16#$(sed -n 's/^CapEff:\s*//p' /proc/self/status)))
  (( effective >> 12 & 1 )) || lacking+=(CAP_NET_ADMIN)
  (( effective >> 21 & 1 )) || lacking+=(CAP_SYS_ADMIN)
  [ "${#lacking[@]}" = 0 ] || die "the test cluster needs ${lacking[*]}, which this container or user lacks"
}

# Debian's packages for what is missing. $1: kubelet or kwok, $2: whether Prometheus is wanted.
require_packages() {
  local packages=() command package
  # The programs by which a package is known, and the package.
  local wanted="ip:iproute2 openssl:openssl nsenter:util-linux gcc:gcc sysctl:procps"
  [ "$1" = kwok ] || wanted+=" containerd:containerd runc:runc iptables:iptables conntrack:conntrack python3:python3"
  [ -z "$2" ] || wanted+=" prometheus:prometheus"
  for pair in $wanted; do
    command=${pair%%:*} package=${pair#*:}
    command -v "$command" >/dev/null || packages+=("$package")
  done
  [ "$1" = kwok ] || [ -x /usr/lib/cni/bridge ] || packages+=(containernetworking-plugins)
  [ "${#packages[@]}" = 0 ] && return
  command -v apt-get >/dev/null || die "these programs are missing, and there is no apt-get to install them: ${packages[*]}"
  say "installing ${packages[*]}"
  apt-get update -qq
  # Only the programs are wanted, not services of the system.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

is_init() { [ "$(readlink "/proc/$1/exe" 2>/dev/null)" = "$DIR/bin/init" ]; }

# Process 1 of the cluster as we number it, which is 1 for whoever is inside already. Fails when the cluster is not up.
init_pid() {
  local pid=1
  is_init 1 || { pid=$(cat "$DIR/pids/init" 2>/dev/null) && is_init "$pid"; } || return
  echo "$pid"
}

# Runs a command inside.
inside() { nsenter --target "$(init_pid)" --net --mount --pid --wdns="$PWD" -- "$@"; }

# Makes the namespaces, held by a process that does nothing else.
enter_namespaces() {
  local holder i
  # In a session of its own, so that ctrl-c in the terminal does not reach the cluster.
  setsid unshare --fork --pid --mount --net --mount-proc "$DIR/bin/init" </dev/null >"$DIR/log/init.log" 2>&1 &
  holder=$!
  for ((i = 0; i < 50; i++)); do
    if pgrep -P "$holder" >"$DIR/pids/init" && init_pid >/dev/null; then return; fi
    sleep 0.1
  done
  cat "$DIR/log/init.log" >&2
  die "the namespaces cannot be made"
}

# Gives every place that kubelet, containerd and CNI have a fixed opinion of a folder of this cluster, so that several
# clusters, or a real one, do not see each other.
cover_paths() {
  local path
  for path in /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /run/containerd /run/netns; do
    # The empty folders stay: removing a mount point would unmount it in another cluster, too.
    mkdir -p "$path" "$DIR/cover$path"
    inside mount --bind "$DIR/cover$path" "$path"
  done
  # Names of the cluster are known to whatever runs inside, a controller on the host's files as well.
  printf 'nameserver %s\nsearch svc.cluster.local cluster.local\n' "$NODE_IP" >"$DIR/resolv.conf"
  inside mount --bind "$DIR/resolv.conf" "$(readlink -f /etc/resolv.conf)"
}

# A network of one node. There is no way out of it: no packet of a test can meet anybody.
make_network() {
  inside ip link set lo up
  # A veth pair of which only one end is used: not every kernel has dummy devices.
  inside ip link add node0 type veth peer name node0peer
  inside ip link set node0peer up
  inside ip addr add "$NODE_IP/32" dev node0
  inside ip link set node0 up
  inside ip route add default dev node0
  inside sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
  # Without it Services do not work between pods of one node; a kernel that has bridges built in may not have it.
  inside sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true
}

# The cgroup under which all pods of this cluster live; two kubelets in one cgroup would kill each other's pods.
cgroup() { echo "serin-e2e-$(sha256sum <<<"$DIR" | cut -c1-8)"; }

cgroup_mounts() { findmnt -rno TARGET -t cgroup,cgroup2; }

make_cgroup() {
  local mount name
  name=$(cgroup)
  cgroup_mounts | while read -r mount; do
    mkdir -p "$mount/$name"
    # The first version's cpuset begins empty, and nothing can run in it.
    if [ -f "$mount/cpuset.cpus" ]; then
      cat "$mount/cpuset.cpus" >"$mount/$name/cpuset.cpus"
      cat "$mount/cpuset.mems" >"$mount/$name/cpuset.mems"
    fi
  done
}

remove_cgroup() {
  local mount name
  name=$(cgroup)
  cgroup_mounts | while read -r mount; do
    [ ! -d "$mount/$name" ] || find "$mount/$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
