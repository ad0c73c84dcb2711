-- ARGV: owner, lease in milliseconds, retention in milliseconds, time in microseconds or '', attempt.
-- Returns {1, token} or {0, token, owner, remaining milliseconds}.
local held = redis.call('HMGET', KEYS[1], 'token', 'owner', 'lease_ends_ms', 'taken_back')
if not held[1] and not held[4] and redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('WRONGTYPE the hash is not a lock')
end
local now_us = tonumber(ARGV[4])
if not now_us then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
end
local now_ms = math.floor(now_us / 1000)
local ends = tonumber(held[3] or '0')
if ends > now_ms then
  return {0, held[1], held[2], string.format('%.0f', ends - now_ms)}
end
-- The attempt was taken back before it arrived: its caller is gone.
if held[4] and string.find(held[4], ARGV[5], 1, true) then
  return {0, held[1] or '0', held[2] or '', '0'}
end
-- Greater than the last token, and than every token issued before a flush or a lost replication.
local token = math.max(tonumber(held[1] or '0') + 1, now_us)
local text = string.format('%.0f', token)
redis.call('HSET', KEYS[1], 'token', text, 'owner', ARGV[1], 'attempt', ARGV[5],
  'lease_ends_ms', string.format('%.0f', now_ms + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[2] + ARGV[3]))
return {1, text}
