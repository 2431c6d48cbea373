# A version whose members crash every half minute: every step waits until they are back, but nothing here judges the version.
replicas 4
deadline 300s abort
step setWeight 25
step pause 60s
step setWeight 50
step pause 60s
version v1
version v2 ready 5s crashes 30s
deploy v1
until healthy
deploy v2
until healthy within 600s
expect stable v2
