# A person does not want to wait: promote skips a step, promote full skips the rest.
# compat: 7.5-2, 7.5-3, 7.5-4, 10.50
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
version v3 error-rate=0.4 p95=0.13 stability=0.02
deploy v1
until healthy
deploy v2
run 10s
promote
run 5s
promote
run 30s
expect weight 50
promote full
until healthy
expect stable v2
