# A third version in the middle of the second one's experiment, which ends; the third has one of its own.
replicas 2
step experiment baseline=stable canary=canary duration 60s
step setWeight 50
step pause 30s
version v1
version v2
version v3
deploy v1
until healthy
deploy v2
run 30s
deploy v3
until healthy
expect stable v3
