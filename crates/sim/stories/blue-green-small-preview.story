# The preview is one member until it is promoted; only then all members are started, and the switch waits for them.
# compat: 2.10-4
replicas 4
strategy blueGreen
previewReplicas 1
autoPromotion off
version v1
version v2 ready 20s
deploy v1
until healthy
deploy v2
until paused
expect sizes v1=4,v2=1
promote
run 19s
expect active v1
expect sizes v1=4,v2=4
run 2s
expect active v2
