# Without a duration the experiment lasts until its required analysis has succeeded.
replicas 2
step experiment baseline=stable canary=canary required compare
step setWeight 50
step pause 30s
metric error-rate success "result[0] < 0.05" interval 30s count 3
version v1 error-rate=0.001
version v2 error-rate=0.002
deploy v1
until healthy
deploy v2
run 55s
expect weight 0
until healthy
expect stable v2
