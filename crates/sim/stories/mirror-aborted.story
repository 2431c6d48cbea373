# An abort takes the copies away, too.
replicas 2
routes shadow
step setCanaryScale replicas 1
step setMirrorRoute shadow 50
step pause
version v1
version v2
deploy v1
until healthy
deploy v2
until paused
expect mirror 50
abort
run 1s
expect mirror -
expect stable v1
