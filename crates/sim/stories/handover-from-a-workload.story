# A Deployment ran the service before: it is taken down as the members of the first revision become ready.
# compat: 1.3-12
replicas 4
workload 4 progressively
version v1 ready 10s-30s
deploy v1
run 9s
expect workload 4
until healthy
run 1s
expect workload 0
