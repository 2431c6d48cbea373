# maxTrafficWeight 1000: steps count in thousandths.
replicas 2
maxWeight 1000
step setWeight 5
step pause 30s
version v1
version v2
deploy v1
until healthy
deploy v2
until paused
expect weight 5
until healthy
expect stable v2
