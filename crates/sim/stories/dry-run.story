# A new metric is tried out beside the proven one: it fails, says so, and decides nothing.
# compat: 3.9-3
replicas 1
router nginx
step setWeight 50
step analysis
metric error-rate success "result[0] < 0.05" interval 10s count 2
metric drift success "result[0] < 0.1" interval 10s count 3 dryRun yes
version v1 error-rate=0.001 drift=0.01
version v2 error-rate=0.001 drift=0.7
deploy v1
until healthy
deploy v2
until healthy
expect stable v2
