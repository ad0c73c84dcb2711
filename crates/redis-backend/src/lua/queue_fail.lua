-- ARGV[2]: claim, [3]: error, [4]: pause in milliseconds, or '' to bury the task. Returns 1 if the claim still
-- counted, else 0.
local claim, pause = ARGV[2], tonumber(ARGV[4])
if redis.call('ZREM', leases, claim) == 0 then return 0 end
local id = string.sub(claim, 1, 16)
redis.call('HINCRBY', attempts, id, 1)
redis.call('HSET', errors, id, ARGV[3])
if pause then
  redis.call('ZADD', delayed, whole(now + pause), id)
else
  bury(id)
end
return 1
