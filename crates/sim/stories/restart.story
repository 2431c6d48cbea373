# Every member is replaced, one after the other, and never more than one is missing.
replicas 4
unavailable 1
version v1 ready 5s
deploy v1
until healthy
run 60s
restart
run 1s
expect available 3
run 40s
expect available 4
expect phase Healthy
