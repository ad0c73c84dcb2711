-- ARGV: time in microseconds or ''. Returns {token, owner, remaining milliseconds} or nothing.
local held = redis.call('HMGET', KEYS[1], 'token', 'owner', 'lease_ends_ms')
local now_us = tonumber(ARGV[1])
if not now_us then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
end
local left = tonumber(held[3] or '0') - math.floor(now_us / 1000)
if not held[1] or left <= 0 then return false end
return {held[1], held[2], string.format('%.0f', left)}
