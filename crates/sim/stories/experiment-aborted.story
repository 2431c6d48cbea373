# A person aborts in the middle: the experiment ends, its shares go back to stable.
replicas 2
step experiment baseline=stable:1:10 canary=canary:1:10 duration 300s delay 30s
step setWeight 50
version v1
version v2
deploy v1
until healthy
deploy v2
run 60s
expect shares 10,10
abort
run 1s
expect shares -
run 60s
expect phase Degraded
expect stable v1
