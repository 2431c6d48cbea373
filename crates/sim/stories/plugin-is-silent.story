# A plugin that cannot be asked is asked again, until a person has enough.
replicas 2
step setWeight 50
step plugin warm-up
plugin warm-up silent
version v1
version v2
deploy v1
until healthy
deploy v2
run 300s
expect stable v1
abort
run 60s
expect weight 0
