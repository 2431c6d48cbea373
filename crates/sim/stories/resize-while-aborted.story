# An autoscaler changes the replicas while an aborted canary runs out its delay: stable follows, the canary keeps what it has.
# compat: 2.2-8, 2.7-7, 10.18
replicas 4
router nginx
step setWeight 50
step pause
version v1 ready 1s
version v2 ready 1s
deploy v1
until healthy
deploy v2
until paused
abort
replicas 6
run 10s
expect weight 0
expect sizes v1=6,v2=2
run 30s
expect sizes v1=6
