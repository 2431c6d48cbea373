# Judged before the switch and after it; the old version stays whole until the second judgement.
# compat: 1.6-4
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
run 59s
expect active v1
run 10s
expect active v2
expect stable v1
expect sizes v1=3,v2=3
until healthy
expect stable v2
run 40s
expect sizes v2=3
