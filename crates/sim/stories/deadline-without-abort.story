# Members come late: the deadline is said, nothing is undone, and the rollout goes on by itself when they are there.
# compat: 1.2-9, 1.2-10, 2.6-13
replicas 2
router nginx
deadline 120s
step setWeight 50
step pause 10s
version v1 ready 2s
version v2 ready 200s
deploy v1
until healthy
deploy v2
until degraded
expect weight 0
expect sizes v1=2,v2=1
version v2 ready 2s
until healthy
expect stable v2
