# Without a router the split is the number of members: 4 and a surge of 1.
# compat: B.4-1, 10.23
replicas 4
router none
surge 1
unavailable 0
step setWeight 25
step pause
version v1 ready 1s
version v2 ready 1s
deploy v1
until healthy
deploy v2
until paused
promote
until healthy
expect stable v2
