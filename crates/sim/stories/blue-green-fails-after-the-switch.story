# What no preview shows: under real traffic it fails, and every request goes back at once.
# compat: 2.10-4
replicas 3
strategy blueGreen
preAnalysis
postAnalysis
metric error-rate success "result[0] < 0.05" interval 30s count 3
version v1 error-rate=0.001
version v2 error-rate=0.002
version v3 error-rate=0.002
deploy v1
until healthy
deploy v2
run 70s
expect active v2
version v2 error-rate=0.4
until degraded
expect active v1
expect stable v1
run 40s
expect sizes v1=3
