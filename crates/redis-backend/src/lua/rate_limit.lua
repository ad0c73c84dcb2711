-- Sliding window: a sorted set with one member a permit, scored by its time in milliseconds.
-- ARGV: limit, window in milliseconds, permits, time in microseconds or ''.
-- Returns {1, remaining, 0} or {0, remaining, milliseconds until the same would be allowed}.
local now_us = tonumber(ARGV[4])
if not now_us then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
end
local now = math.floor(now_us / 1000)
local limit, window, permits = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stamp = string.format('%.0f', now)
local edge = string.format('%.0f', now - window)
if permits == 0 then
  local used = redis.call('ZCOUNT', KEYS[1], '(' .. edge, '+inf')
  return {1, math.max(limit - used, 0), '0'}
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', edge)
local used = redis.call('ZCARD', KEYS[1])
if used + permits > limit then
  -- The permit whose return makes room for all that are asked for.
  local at = used + permits - limit - 1
  local oldest = redis.call('ZRANGE', KEYS[1], at, at, 'WITHSCORES')
  return {0, math.max(limit - used, 0), string.format('%.0f', oldest[2] + window - now)}
end
-- Members of one millisecond are told apart by a number; old ones leave only together.
local first = redis.call('ZCOUNT', KEYS[1], stamp, stamp)
for i = first, first + permits - 1 do
  redis.call('ZADD', KEYS[1], stamp, stamp .. '-' .. i)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {1, limit - used - permits, '0'}
