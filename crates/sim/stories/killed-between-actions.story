# The control process dies in the middle of an abort: members and router stay as they are until the next one comes, and it goes on.
replicas 2
step setWeight 20
step pause 60s
step analysis
metric error-rate success "result[0] < 0.05"
version v1 error-rate=0.001
version v2 error-rate=0.4
deploy v1
until healthy
deploy v2
until paused
run 50s
fault killed 30s after 2
until degraded within 300s
run 60s
expect weight 0
expect stable v1
expect sizes v1=2
