-- What wrk sends, and how it says what it measured: one line of JSON.
-- Without a `request` function wrk builds the request once and calls no Lua while it measures.
-- Arguments: method, body, then a name and a value for each header.

function init(args)
   wrk.method = args[1]
   if args[2] ~= "" then
      wrk.body = args[2]
   end
   for n = 3, #args - 1, 2 do
      wrk.headers[args[n]] = args[n + 1]
   end
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"errors":%d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      e.connect + e.read + e.write + e.status + e.timeout
   ))
end
