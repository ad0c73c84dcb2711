-- ARGV[2…]: entries. Returns {'ok', the first one's ordinal}.
local facts = redis.call('HMGET', base, 'status', 'total', 'bytes')
if facts[1] ~= 'open' then return {'sealed'} end
local bytes = 0
for i = 2, #ARGV do bytes = bytes + #ARGV[i] end
if plan.max_bytes and tonumber(facts[3]) + bytes > plan.max_bytes then return {'full'} end
local first = tonumber(facts[2])
local from = 2
while from <= #ARGV do
  local ordinal = first + from - 2
  local to = math.min(#ARGV, from + 99 - ordinal % 100)
  redis.call('RPUSH', base .. ':e:' .. math.floor(ordinal / 100), unpack(ARGV, from, to))
  from = to + 1
end
redis.call('HSET', base, 'total', first + #ARGV - 1, 'bytes', text(facts[3] + bytes))
local ordinals = {}
for i = 2, #ARGV do ordinals[i - 1] = first + i - 2 end
tell('submitted', ordinals)
return {'ok', first}
