-- ARGV: rule, milliseconds, then alternating fields and values. Returns the number of new fields.
local added = 0
-- Lua's unpack fails at some thousands of values.
for from = 3, #ARGV, 1000 do
  added = added + redis.call('HSET', KEYS[1], unpack(ARGV, from, math.min(from + 999, #ARGV)))
end
apply_ttl_rule()
return added
