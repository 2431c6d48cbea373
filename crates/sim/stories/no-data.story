# No data is neither zero nor success: after five failed looks the run is an error, and the update is aborted.
# compat: 3.6-2, 10.1, 10.4
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
version v2 error-rate=none p95=0.1 stability=0.02
deploy v1
until healthy
deploy v2
until degraded
run 60s
expect stable v1
expect weight 0
