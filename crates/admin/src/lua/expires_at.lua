local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local before, left = now(), redis.call('PTTL', KEYS[1])
if left < 0 then return left end
-- The system may stop the server between two calls.
for _ = 1, 20 do
  local after = now()
  if after - before <= 1 then break end
  before, left = after, redis.call('PTTL', KEYS[1])
  if left < 0 then return left end
end
return before + left
