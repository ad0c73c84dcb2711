-- Renews or releases. ARGV: token, lease in milliseconds ('0' to release), retention, time or ''.
-- Returns 1 if the token holds the lock and its lease had not expired, else 0.
local held = redis.call('HMGET', KEYS[1], 'token', 'lease_ends_ms')
local now_us = tonumber(ARGV[4])
if not now_us then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
end
local now_ms = math.floor(now_us / 1000)
if held[1] ~= ARGV[1] or tonumber(held[2] or '0') <= now_ms then return 0 end
local ends = '0'
if ARGV[2] ~= '0' then ends = string.format('%.0f', now_ms + ARGV[2]) end
redis.call('HSET', KEYS[1], 'lease_ends_ms', ends)
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[2] + ARGV[3]))
return 1
