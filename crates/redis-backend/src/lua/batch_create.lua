-- KEYS[1]: the batch. ARGV: the plan as JSON. Returns {'ok', 1 if it was made}.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'hash' and redis.call('HEXISTS', KEYS[1], 'plan') == 1 then return {'ok', 0} end
if kind ~= 'none' then return {'other type'} end
redis.call('HSET', KEYS[1], 'plan', ARGV[1], 'status', 'open', 'total', 0, 'done', 0, 'dead', 0,
  'bytes', 0)
return {'ok', 1}
