# minReadySeconds: a member that was ready for a moment only does not count.
replicas 2
minReady 20s
step setWeight 50
step pause
version v1
version v2 ready 3s
deploy v1
until healthy
deploy v2
run 22s
expect phase Progressing
until paused
expect weight 50
