# The second look catches a version that becomes slow under more traffic.
# compat: 4.2-3, 4.3-3
replicas 2
router nginx
step setWeight 20
step pause 10s
step analysis
step setWeight 50
step pause 10s
step analysis
metric p95 success "result[0] < 0.5" interval 30s count 3 failureLimit 1
version v1 p95=0.12
version v2 p95=0.2
deploy v1
until healthy
deploy v2
run 78s
expect step 4
version v2 p95=1.8
until degraded
expect weight 0
run 60s
expect stable v1
