# The background analysis fails when all traffic but a little has moved: that is not too late.
# compat: 4.2-2, 4.3-2, 2.6-15
replicas 2
router nginx
background 0
step setWeight 20
step pause 60s
step setWeight 90
step pause 600s
metric error-rate success "result[0] < 0.05" interval 30s failureLimit 2
version v1 error-rate=0.001
version v2 error-rate=0.001
deploy v1
until healthy
deploy v2
run 300s
expect weight 90
version v2 error-rate=0.5
until degraded
run 1s
expect weight 0
run 60s
expect sizes v1=2
