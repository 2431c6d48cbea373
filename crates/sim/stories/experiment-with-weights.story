# Baseline and canary get a tenth of the requests each; the rest stays with the stable version.
replicas 2
step experiment baseline=stable:1:10 canary=canary:1:10 duration 60s
step setWeight 50
step pause 30s
version v1
version v2
deploy v1
until healthy
deploy v2
run 30s
expect shares 10,10
expect weight 0
until paused
expect shares -
expect weight 50
until healthy
expect stable v2
