# Members that never get ready: the deadline ends it, and the users notice nothing.
replicas 3
strategy blueGreen
deadline 120s abort
version v1
version v2 ready never
deploy v1
until healthy
deploy v2
until degraded within 200s
expect active v1
run 40s
expect sizes v1=3
