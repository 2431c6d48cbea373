# Within the rollback window even a pool that is gone comes back without analysis.
replicas 3
strategy blueGreen
preAnalysis
window 2
metric error-rate success "result[0] < 0.05" interval 30s count 3
version v1 error-rate=0.001
version v2 error-rate=0.002
version v3 error-rate=0.002
deploy v1
until healthy
deploy v2
until healthy
run 60s
expect sizes v2=3
undo
run 3s
expect active v1
