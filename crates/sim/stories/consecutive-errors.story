# A metrics source that answers now and then is enough; one that has gone for good ends the run.
# compat: 3.7-1, 3.7-3, 10.1, 10.2
replicas 2
router nginx
step setWeight 50
step analysis
step setWeight 80
step analysis
metric error-rate success "result[0] < 0.05" interval 60s count 2 consecutiveErrorLimit 2
version v1 error-rate=0.001
version v2 error-rate=broken
deploy v1
until healthy
deploy v2
run 15s
version v2 error-rate=0.01
run 30s
version v2 error-rate=broken
run 50s
version v2 error-rate=0.01
run 60s
expect step 3
expect weight 80
version v2 error-rate=broken
until degraded
run 1s
expect weight 0
