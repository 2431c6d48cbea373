# scaleDownDelayRevisionLimit: at most one old version waits for its end.
# compat: 1.6-5
replicas 3
strategy blueGreen
scaleDownDelay 10m
delayRevisions 1
version v1 error-rate=0.001
version v2 error-rate=0.002
version v3 error-rate=0.002
deploy v1
until healthy
deploy v2
until healthy
deploy v3
until healthy
run 5s
expect sizes v2=3,v3=3
