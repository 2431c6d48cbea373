# Old versions are kept for an undo, but not all of them.
# compat: 1.2-4, 1.2-5
replicas 1
router none
history 1
version v1 ready 1s
version v2 ready 1s
version v3 ready 1s
version v4 ready 1s
deploy v1
until healthy
run 10s
deploy v2
until healthy
run 10s
deploy v3
until healthy
run 10s
deploy v4
until healthy
expect sizes v4=1
