-- KEYS[1]: the batch. ARGV[1]: the time in microseconds, or '', [2]: the plan as JSON. Returns {'ok', 1 if the batch
-- was created}.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'hash' and redis.call('HEXISTS', KEYS[1], 'plan') == 1 then return {'ok', 0} end
if kind ~= 'none' then return {'other type'} end
local now_us = tonumber(ARGV[1])
if not now_us then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
end
local born = string.format('%.0f', now_us)
redis.call('HSET', KEYS[1], 'plan', ARGV[2], 'born', born, 'token', born, 'status', 'open', 'total', 0,
  'done', 0, 'dead', 0, 'bytes', 0)
return {'ok', 1}
