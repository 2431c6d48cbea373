# A good version goes to 20, 50 and 100% by itself; the old one leaves after its delay.
# compat: 2.7-17, 2.8-28, 1.7-6, 4.2-3
replicas 2
router nginx
step setWeight 20
step pause 60s
step analysis
step setWeight 50
step pause 120s
step analysis
metric error-rate success "result[0] < 0.05" interval 30s count 3 failureLimit 1
metric p95 success "result[0] < 0.5" interval 30s count 3 failureLimit 1
metric stability success "result[0] < 0.3" interval 30s count 3 failureLimit 1
version v1 error-rate=0.001 p95=0.12 stability=0.01
version v2 error-rate=0.002 p95=0.13 stability=0.02
deploy v1
until healthy
expect stable v1
deploy v2
until healthy
run 60s
expect stable v2
expect weight 0
