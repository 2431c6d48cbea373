# The control process dies between the actions of the switch, twice; the next one finds its way.
replicas 3
strategy blueGreen
version v1
version v2
deploy v1
until healthy
fault killed 20s
fault killed 20s after 3
deploy v2
until healthy within 300s
expect active v2
run 40s
expect sizes v2=3
