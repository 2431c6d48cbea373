# Two services that swap roles: the selector of the one that has the requests never changes.
replicas 2
pingPong
step setWeight 50
step pause 60s
version v1
version v2
version v3
deploy v1
until healthy
deploy v2
until healthy
run 40s
deploy v3
until healthy
run 40s
expect stable v3
