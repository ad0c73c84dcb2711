-- Follows batch_open.lua in scripts that hand back.
-- Hands back everything that a claim holds, documents or the completion, as if it had not been made. Returns false if
-- it holds nothing.
local function give_back(token)
  local completion = redis.call('HMGET', base, 'completion', 'completion_ends')
  if completion[1] == token then
    if tonumber(completion[2]) <= now_ms then return false end
    redis.call('HSET', base, 'completion', 'due')
    redis.call('HDEL', base, 'completion_ends')
    return true
  end
  local ends = redis.call('ZSCORE', base .. ':leases', token)
  if not ends or tonumber(ends) <= now_ms then return false end
  local held = cmsgpack.unpack(redis.call('HGET', base .. ':held', token))
  redis.call('ZREM', base .. ':leases', token)
  redis.call('HDEL', base .. ':held', token)
  add('claimed:' .. held[1], 1 - #held)
  local back = {}
  for i = #held, 2, -1 do back[#back + 1] = held[i] end
  redis.call('LPUSH', base .. ':ready:' .. held[1], unpack(back))
  return true
end
