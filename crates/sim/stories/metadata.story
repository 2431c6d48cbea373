# Members of the version that is tried carry a label, and another one once it is stable.
replicas 2
metadata new role=canary
metadata stable role=stable
step setWeight 50
step pause 30s
version v1
version v2
deploy v1
until healthy
deploy v2
until healthy
run 1s
expect stable v2
