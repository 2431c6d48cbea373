# Testers reach the new version by a header before anybody else does.
# compat: 1.7-18, 1.7-19
replicas 1
router nginx
step setCanaryScale replicas 1
step setHeaderRoute testers x-tester yes
step pause 60s
step setHeaderRoute testers
step setWeight 50
step pause 60s
version v1 ready 1s
version v2 ready 1s
deploy v1
until healthy
deploy v2
until healthy
expect stable v2
