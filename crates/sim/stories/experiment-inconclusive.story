# Neither good nor bad: it waits for a person, who goes on.
replicas 2
step experiment canary=canary duration 120s analysis compare
step setWeight 50
step pause 30s
metric error-rate success "result[0] < 0.05" failure "result[0] > 0.2" count 1
version v1 error-rate=0.001
version v2 error-rate=0.1
deploy v1
until healthy
deploy v2
until paused
expect weight 0
promote
until healthy
expect stable v2
