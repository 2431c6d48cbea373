# The fix comes as a new version while the bad one is aborted; nobody has to clean up first.
# compat: 2.7-11, 2.4-2
replicas 2
router nginx
abortDelay 120s
step setWeight 50
step analysis
metric error-rate success "result[0] < 0.05" interval 10s count 2
version v1 error-rate=0.001
version v2 error-rate=0.2
version v3 error-rate=0.001
deploy v1
until healthy
deploy v2
until degraded
run 20s
expect weight 0
expect sizes v1=2,v2=1
deploy v3
until healthy
expect stable v3
run 200s
expect sizes v3=2
