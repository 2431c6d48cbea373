# A person who cannot wait: neither the rest of the analysis nor the pause.
replicas 3
strategy blueGreen
preAnalysis
autoPromotion off
metric error-rate success "result[0] < 0.05" interval 30s count 3
version v1 error-rate=0.001
version v2 error-rate=0.002
version v3 error-rate=0.002
deploy v1
until healthy
deploy v2
run 35s
promote full
run 1s
expect active v2
until healthy
expect stable v2
