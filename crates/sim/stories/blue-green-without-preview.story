# Without a preview service there is one service, and it is switched.
# compat: 1.6-3
replicas 3
strategy blueGreen
preview off
scaleDownDelay 0s
version v1
version v2
deploy v1
until healthy
deploy v2
until healthy
expect active v2
expect preview -
run 1s
expect sizes v2=3
