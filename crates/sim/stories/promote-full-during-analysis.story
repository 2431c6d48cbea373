# A hotfix cannot wait for its analysis: promote full stops the run and everything else but the wait for members.
# compat: 2.7-12, 4.2-7, 7.5-4
replicas 3
router nginx
step setWeight 20
step analysis
step pause
metric error-rate success "result[0] < 0.05" interval 30s count 10
version v1 ready 5s error-rate=0.3
version v2 ready 5s error-rate=0.001
deploy v1
until healthy
deploy v2
run 60s
expect step 1
promote full
expect weight 20
expect sizes v1=3,v2=3
run 4s
expect weight 20
until healthy within 10s
expect stable v2
