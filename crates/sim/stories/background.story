# Analysis in the background aborts in the middle of a pause.
# compat: 4.2-2, 4.3-1
replicas 1
router nginx
background 1
step setWeight 20
step pause 300s
metric error-rate success "result[0] < 0.05" interval 30s failureLimit 1
version v1 error-rate=0.001
version v2 error-rate=0.001
deploy v1
until healthy
deploy v2
run 100s
expect weight 20
version v2 error-rate=0.3
until degraded
expect weight 0
expect stable v1
