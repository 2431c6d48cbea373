# A plugin that gives up takes the version back, and is asked to take back what it did.
replicas 2
step setWeight 50
step plugin warm-up
step pause 30s
plugin warm-up running,failed again 20s
version v1
version v2
deploy v1
until healthy
deploy v2
until degraded
run 40s
expect stable v1
expect weight 0
