# A person aborts before the switch, and again, after a retry, behind it.
replicas 3
strategy blueGreen
autoPromotion off
postAnalysis
metric error-rate success "result[0] < 0.05" interval 30s count 3
version v1 error-rate=0.001
version v2 error-rate=0.002
version v3 error-rate=0.002
deploy v1
until healthy
deploy v2
until paused
abort
expect active v1
expect phase Degraded
retry
until paused
promote
run 10s
expect active v2
abort
run 1s
expect active v1
expect phase Degraded
run 40s
expect sizes v1=3
