# A copy of every fifth request goes to a version that answers nobody yet; then it is given a share, and the copies end.
replicas 2
routes shadow
step setCanaryScale replicas 1
step setMirrorRoute shadow 20
step pause 60s
step setMirrorRoute shadow
step setWeight 50
step pause 60s
version v1
version v2
deploy v1
until healthy
deploy v2
until paused
expect mirror 20
expect weight 0
run 61s
expect mirror -
until healthy
expect stable v2
