# Members of the experiment that never come fail it at the deadline.
replicas 2
deadline 120s
step experiment canary=canary:2 duration 60s
step setWeight 50
version v1
version v2 ready never
deploy v1
until healthy
deploy v2
until degraded within 300s
expect stable v1
expect weight 0
run 60s
