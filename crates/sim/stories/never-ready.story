# Members of the new version never come: it gets no traffic, and the deadline aborts it.
# compat: 1.2-11
replicas 2
router nginx
deadline 120s abort
step setWeight 20
step pause 60s
version v1 ready 2s
version v2 ready never
deploy v1
until healthy
deploy v2
run 60s
expect weight 0
until degraded
run 60s
expect stable v1
