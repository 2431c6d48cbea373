# A person halts the rollout before the switch, and lets it go on.
replicas 3
strategy blueGreen
version v1
version v2 ready 20s
deploy v1
until healthy
deploy v2
run 5s
pause
run 60s
expect active v1
expect phase Paused
resume
until healthy
expect active v2
