# A restart in the middle of an update replaces members of both versions, and the update goes on.
replicas 4
unavailable 1
step setWeight 50
step pause 120s
version v1 ready 5s
version v2 ready 5s
deploy v1
until healthy
deploy v2
until paused
run 10s
restart
until healthy within 600s
expect stable v2
