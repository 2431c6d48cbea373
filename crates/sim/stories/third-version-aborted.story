# With dynamicStableScale: the second version has most of the traffic when a third comes that never gets ready and runs into
# its deadline. What is left on the way back stays with the second one until stable has grown.
# compat: 2.4-5, 1.2-11
replicas 4
router nginx
dynamic
deadline 60s abort
step setWeight 75
step pause
version v1 ready 90s
version v2 ready 2s
version v3 ready never
deploy v1
run 100s
deploy v2
until paused
expect weight 75
expect sizes v1=1,v2=3
deploy v3
until degraded
expect weight 75
run 60s
expect weight 0
expect sizes v1=4
