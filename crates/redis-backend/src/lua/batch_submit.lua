-- ARGV[2]: the required ordinal of the first entry, or '', [3…]: entries. Returns {'ok', ordinal of the first entry};
-- {'ok'} if it would differ from the required one.
local facts = redis.call('HMGET', base, 'status', 'total', 'bytes')
if facts[1] ~= 'open' then return {'sealed'} end
local first = tonumber(facts[2])
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= first then return {'ok'} end
local bytes = 0
for i = 3, #ARGV do bytes = bytes + #ARGV[i] end
if plan.max_bytes and tonumber(facts[3]) + bytes > plan.max_bytes then return {'full'} end
local from = 3
while from <= #ARGV do
  local ordinal = first + from - 3
  local to = math.min(#ARGV, from + 99 - ordinal % 100)
  redis.call('RPUSH', base .. ':e:' .. math.floor(ordinal / 100), unpack(ARGV, from, to))
  from = to + 1
end
redis.call('HSET', base, 'total', first + #ARGV - 2, 'bytes', text(facts[3] + bytes))
local ordinals = {}
for i = 3, #ARGV do ordinals[i - 2] = first + i - 3 end
tell('submitted', ordinals)
return {'ok', first}
