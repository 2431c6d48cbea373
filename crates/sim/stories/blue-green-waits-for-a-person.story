# Without automatic promotion a person looks at the preview first.
# compat: 1.6-1, 2.10-2
replicas 3
strategy blueGreen
autoPromotion 30s
autoPromotion off
version v1
version v2
deploy v1
until healthy
deploy v2
until paused
expect active v1
expect preview v2
run 1h
expect phase Paused
promote
until healthy
expect active v2
