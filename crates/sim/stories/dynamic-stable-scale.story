# With dynamicStableScale stable shrinks as the traffic leaves it, and is whole again before an abort brings all of it back.
# compat: 1.10-6, 2.8-19, 2.8-22, 6.1-3
replicas 4
router nginx
dynamic
step setWeight 25
step pause 30s
step setWeight 75
step pause 30s
version v1 ready 5s
version v2 ready 5s
version v3 ready 5s
deploy v1
until healthy
deploy v2
until paused
expect sizes v1=3,v2=1
run 45s
expect weight 75
expect sizes v1=1,v2=3
until healthy
expect sizes v2=4
deploy v3
run 60s
expect weight 75
abort
run 1s
expect weight 75
run 60s
expect weight 0
expect stable v2
expect sizes v2=4
