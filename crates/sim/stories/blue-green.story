# The new version stands whole beside the old one, gets every request at once, and the old one stays for 30 s.
# compat: 2.10-6
replicas 3
strategy blueGreen
version v1
version v2 ready 10s
deploy v1
until healthy
deploy v2
run 9s
expect active v1
expect preview v2
expect sizes v1=3,v2=3
until healthy
expect active v2
expect sizes v1=3,v2=3
run 31s
expect sizes v2=3
