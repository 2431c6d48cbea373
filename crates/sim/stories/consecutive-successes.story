# Three good measurements in a row are enough, also after a bad one; without them in time a person decides.
# compat: 3.7-5, 3.7-6, 10.9
replicas 1
router nginx
step setWeight 50
step analysis
step setWeight 80
step analysis
metric error-rate success "result[0] < 0.05" interval 10s count 6 failureLimit 3 consecutiveSuccessLimit 3
version v1 error-rate=0.001
version v2 error-rate=0.001
deploy v1
until healthy
deploy v2
run 5s
version v2 error-rate=0.2
run 10s
version v2 error-rate=0.001
run 36s
expect step 3
version v2 error-rate=0.2
run 5s
version v2 error-rate=0.001
run 20s
version v2 error-rate=0.2
run 10s
version v2 error-rate=0.001
run 20s
expect phase Paused
promote
until healthy
expect stable v2
