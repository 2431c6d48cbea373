# The number of replicas changes in the middle of a step; the step goes on where it was.
# compat: 2.4-6, 2.2-8
replicas 4
router nginx
step setWeight 50
step pause 60s
version v1 ready 1s
version v2 ready 1s
deploy v1
until healthy
deploy v2
run 20s
expect weight 50
replicas 8
run 20s
expect weight 50
until healthy
expect stable v2
