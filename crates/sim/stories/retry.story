# What was wrong lay outside of the version: a person tries the aborted update again, with a new run from the first step.
# compat: 2.7-10, 2.7-11, 4.3-5, B.2-4, 7.4-2
replicas 2
router nginx
step setWeight 50
step analysis
step pause 10s
metric error-rate success "result[0] < 0.05" interval 10s count 2
version v1 error-rate=0.001
version v2 error-rate=0.2
deploy v1
until healthy
deploy v2
until degraded
run 60s
expect sizes v1=2
version v2 error-rate=0.001
retry
until healthy
expect stable v2
