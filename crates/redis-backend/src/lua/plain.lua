-- Runs a plain command in a script after its keys were moved. ARGV: the command and its arguments.
local verb = ARGV[1]
if verb == 'INCRBY' or verb == 'HINCRBY' then
  -- Returns the sum as text, because a Lua number is a double.
  redis.call(unpack(ARGV))
  if verb == 'INCRBY' then return redis.call('GET', KEYS[1]) end
  return redis.call('HGET', KEYS[1], ARGV[3])
end
if verb == 'HSET' then
  -- Lua's unpack fails at some thousands of values.
  local added = 0
  for from = 3, #ARGV, 1000 do
    added = added + redis.call('HSET', KEYS[1], unpack(ARGV, from, math.min(from + 999, #ARGV)))
  end
  return added
end
return redis.call(unpack(ARGV))
