# Stable and new version side by side, of the same age, without a request of a user; both end with the experiment.
replicas 2
step experiment baseline=stable canary=canary duration 60s
step setWeight 50
step pause 30s
version v1
version v2
deploy v1
until healthy
deploy v2
run 30s
expect experiments 1
expect weight 0
until healthy
expect stable v2
run 40s
