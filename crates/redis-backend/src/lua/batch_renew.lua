-- ARGV[2]: token, [3]: lease in milliseconds. Returns {'ok', 1 if the lease had not expired}.
local ends = redis.call('ZSCORE', base .. ':leases', ARGV[2])
if ends then
  if tonumber(ends) <= now_ms then return {'ok', 0} end
  redis.call('ZADD', base .. ':leases', text(now_ms + ARGV[3]), ARGV[2])
  return {'ok', 1}
end
local held = redis.call('HMGET', base, 'completion', 'completion_ends')
if held[1] ~= ARGV[2] or tonumber(held[2]) <= now_ms then return {'ok', 0} end
redis.call('HSET', base, 'completion_ends', text(now_ms + ARGV[3]))
return {'ok', 1}
