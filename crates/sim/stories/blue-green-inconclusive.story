# Neither good nor bad: it waits for a person. Going on means another analysis; what was a coincidence is gone then.
replicas 3
strategy blueGreen
preAnalysis
metric error-rate success "result[0] < 0.05" failure "result[0] > 0.2" interval 30s count 2
version v1 error-rate=0.001
version v2 error-rate=0.1
deploy v1
until healthy
deploy v2
until paused
expect active v1
version v2 error-rate=0.01
promote
until healthy
expect active v2
