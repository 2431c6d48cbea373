# More members in the middle of the preview: both versions grow, and the switch waits for all of them.
replicas 3
strategy blueGreen
autoPromotion off
version v1
version v2
deploy v1
until healthy
deploy v2
until paused
replicas 5
run 5s
expect sizes v1=5,v2=5
expect active v1
promote
until healthy
expect active v2
