# replicaProgressThreshold: half of the members are enough to go on, for a version of which some never come.
replicas 4
threshold 50%
step setWeight 100
step pause 30s
version v1
version v2 ready 5s-60s
deploy v1
until healthy
deploy v2
until healthy
expect stable v2
