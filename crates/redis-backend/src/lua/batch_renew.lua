-- ARGV[2]: token, [3]: lease in milliseconds. Returns {'ok', 1 if it is still the token's}.
local ends = redis.call('ZSCORE', base .. ':leases', ARGV[2])
if not ends or tonumber(ends) <= now_ms then return {'ok', 0} end
redis.call('ZADD', base .. ':leases', text(now_ms + ARGV[3]), ARGV[2])
return {'ok', 1}
