-- Takes back an attempt whose caller is gone: releases the lock if the attempt acquired it; if it has not been
-- executed yet, records it so that it acquires nothing. ARGV: attempt, retention in milliseconds, time in
-- microseconds or ''. Returns 1 if the lock was released.
local NOTES = 64
local held = redis.call('HMGET', KEYS[1], 'attempt', 'lease_ends_ms', 'taken_back', 'token')
-- Another program's hash: the attempt will be refused because of it, and acquires nothing.
if not held[3] and not held[4] and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if held[1] == ARGV[1] then
  local now_us = tonumber(ARGV[3])
  if not now_us then
    local time = redis.call('TIME')
    now_us = time[1] * 1000000 + time[2]
  end
  if tonumber(held[2] or '0') <= math.floor(now_us / 1000) then return 0 end
  redis.call('HSET', KEYS[1], 'lease_ends_ms', '0')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
local names = string.sub(ARGV[1] .. ',' .. (held[3] or ''), 1, NOTES * (#ARGV[1] + 1))
redis.call('HSET', KEYS[1], 'taken_back', names)
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
