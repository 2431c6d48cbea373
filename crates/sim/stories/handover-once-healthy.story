# A Deployment ran the service before: it is taken down once the first revision is healthy.
# compat: 1.3-11
replicas 4
workload 4 onSuccess
version v1 ready 10s
deploy v1
run 9s
expect workload 4
until healthy
run 1s
expect workload 0
