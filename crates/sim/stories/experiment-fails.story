# The analysis of the experiment fails: the update is taken back before any user met the new version.
replicas 2
step experiment baseline=stable canary=canary duration 120s analysis compare
step setWeight 50
metric error-rate success "result[0] < 0.05" interval 30s count 3
version v1 error-rate=0.001
version v2 error-rate=0.4
deploy v1
until healthy
deploy v2
until degraded
expect weight 0
expect stable v1
run 60s
