# autoPromotionSeconds: time enough for a look, and nobody has to come.
# compat: 1.6-2, 2.10-2
replicas 3
strategy blueGreen
autoPromotion 60s
version v1
version v2
deploy v1
until healthy
deploy v2
run 61s
expect active v1
run 3s
expect active v2
