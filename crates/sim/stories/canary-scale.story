# setCanaryScale gives the canary members of its own, whatever the traffic; the end of the steps takes them back to it.
# compat: 1.7-14, 1.7-16, 2.8-2
replicas 4
router nginx
step setCanaryScale replicas 3
step pause 10s
step setWeight 25
step pause 10s
step setCanaryScale weight 50
step pause 10s
step setCanaryScale matchTrafficWeight
step pause 10s
version v1 ready 1s
version v2 ready 1s
deploy v1
until healthy
deploy v2
until paused
expect sizes v1=4,v2=3
expect weight 0
run 11s
expect weight 25
expect sizes v1=4,v2=3
run 10s
expect sizes v1=4,v2=2
run 10s
expect sizes v1=4,v2=1
until healthy
run 31s
expect sizes v2=4
