-- ARGV[2…]: entries. Returns {'ok', the first one's ordinal}.
local facts = redis.call('HMGET', base, 'status', 'total', 'bytes')
if facts[1] ~= 'open' then return {'sealed'} end
local bytes = 0
for i = 2, #ARGV do bytes = bytes + #ARGV[i] end
if plan.max_bytes and tonumber(facts[3]) + bytes > plan.max_bytes then return {'full'} end
local first = tonumber(facts[2])
for i = 2, #ARGV do
  local ordinal = first + i - 2
  redis.call('HSET', base .. ':e:' .. math.floor(ordinal / 100), ordinal % 100, ARGV[i])
end
redis.call('HSET', base, 'total', first + #ARGV - 1, 'bytes', text(facts[3] + bytes))
local ordinals = {}
for i = 2, #ARGV do ordinals[i - 1] = first + i - 2 end
tell('submitted', ordinals)
return {'ok', first}
