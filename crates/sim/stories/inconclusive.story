# Neither good nor bad: the rollout waits for a person, whose promote skips the analysis.
# compat: 4.3-3, 4.3-4, 7.5-2
replicas 1
router nginx
step setWeight 20
step analysis
step setWeight 60
step pause 10s
metric score success "result[0] > 0.9" failure "result[0] < 0.5"
version v1 score=0.95
version v2 score=0.7
deploy v1
until healthy
deploy v2
until paused
run 600s
expect weight 20
promote
until healthy
expect stable v2
