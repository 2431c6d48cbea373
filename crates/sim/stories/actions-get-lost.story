# Every action of the first half is lost, late or done twice. What is not there is asked for again.
replicas 2
step setWeight 50
step pause 60s
version v1
version v2
deploy v1
until healthy
fault lost
fault late 5s after 1
fault twice after 2
fault lost after 4
fault late 20s after 6
deploy v2
until healthy within 300s
expect stable v2
expect weight 0
run 40s
expect sizes v2=2
