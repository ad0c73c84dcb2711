-- ARGV[2]: a lease in milliseconds and [3]: '' to take the completion, or [3]: the token that is done
-- with it. Returns {'ok', token} or {'ok', 1 or 0}; {'ok'} where there is nothing to take.
local held = redis.call('HMGET', base, 'completion', 'completion_ends')
local is_held = held[1] and held[1] ~= 'due' and tonumber(held[2]) > now_ms
if ARGV[3] ~= '' then
  if not is_held or held[1] ~= ARGV[3] then return {'ok', 0} end
  redis.call('HDEL', base, 'completion', 'completion_ends')
  return {'ok', 1}
end
if not held[1] or is_held then return {'ok'} end
local token = next_token()
redis.call('HSET', base, 'completion', token, 'completion_ends', text(now_ms + ARGV[2]))
return {'ok', token}
