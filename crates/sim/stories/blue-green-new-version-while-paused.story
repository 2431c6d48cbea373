# A third version before anybody promoted the second: the preview moves on, the users notice nothing.
replicas 3
strategy blueGreen
autoPromotion off
version v1 error-rate=0.001
version v2 error-rate=0.002
version v3 error-rate=0.002
deploy v1
until healthy
deploy v2
until paused
deploy v3
until paused
expect preview v3
expect active v1
promote
until healthy
expect active v3
run 40s
expect sizes v3=3
