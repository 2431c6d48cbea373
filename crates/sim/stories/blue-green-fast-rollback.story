# Back to the version before while its pool still runs: at once, without pause and analysis.
# compat: 2.10-3
replicas 3
strategy blueGreen
preAnalysis
scaleDownDelay 10m
metric error-rate success "result[0] < 0.05" interval 30s count 3
version v1 error-rate=0.001
version v2 error-rate=0.002
version v3 error-rate=0.002
deploy v1
until healthy
deploy v2
until healthy
expect active v2
run 60s
undo
run 1s
expect active v1
expect phase Healthy
