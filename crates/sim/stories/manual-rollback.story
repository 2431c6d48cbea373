# A person aborts, retries, aborts again and puts the old version back into the spec.
# compat: 2.7-6, 2.7-10, 7.4-1, 7.4-2
replicas 2
router nginx
step setWeight 20
step pause 60s
step analysis
step setWeight 50
step pause 120s
step analysis
metric error-rate success "result[0] < 0.05" interval 30s count 3 failureLimit 1
metric p95 success "result[0] < 0.5" interval 30s count 3 failureLimit 1
metric stability success "result[0] < 0.3" interval 30s count 3 failureLimit 1
version v1 error-rate=0.001 p95=0.12 stability=0.01
version v2 error-rate=0.002 p95=0.13 stability=0.02
deploy v1
until healthy
deploy v2
run 10s
expect weight 20
abort
expect weight 0
run 40s
expect phase Degraded
retry
run 30s
expect weight 20
abort
undo
until healthy
expect stable v1
