# The version before is wanted back while its members still run out their delay: those that the first step needs are there at once.
# compat: 2.8-31, 2.7-15, 10.53
replicas 2
router nginx
scaleDownDelay 300s
step setWeight 50
step pause 20s
version v1 ready 60s
version v2 ready 2s
deploy v1
until healthy
run 60s
deploy v2
until healthy
run 30s
expect sizes v1=2,v2=2
undo
until paused within 5s
expect weight 50
expect sizes v1=1,v2=2
until healthy within 120s
expect stable v1
run 400s
expect sizes v1=2
