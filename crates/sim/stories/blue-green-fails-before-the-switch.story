# The analysis before the switch fails: no user ever met the new version.
# compat: 2.10-2, 2.10-7
replicas 3
strategy blueGreen
preAnalysis
metric error-rate success "result[0] < 0.05" interval 30s count 3
version v1 error-rate=0.001
version v2 error-rate=0.3
deploy v1
until healthy
deploy v2
until degraded
expect active v1
expect stable v1
expect preview v2
run 40s
expect sizes v1=3
expect active v1
