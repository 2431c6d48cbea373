-- The request of a model client: a small JSON body.
wrk.method = "POST"
wrk.body = '{"id":"req-000000","features":[5.1,3.5,1.4,0.2,6.7,3.0,5.2,2.3],"segment":"eu"}'
wrk.headers["Content-Type"] = "application/json"
