# A step that a plugin carries out: it is asked again until it is done.
replicas 2
step setWeight 50
step plugin warm-up
step pause 30s
plugin warm-up running,running,successful answers 2s again 20s
version v1
version v2
deploy v1
until healthy
deploy v2
until paused
run 10s
until healthy
expect stable v2
