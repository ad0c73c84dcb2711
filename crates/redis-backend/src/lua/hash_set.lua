-- ARGV: rule, milliseconds, then field and value by turns. Returns how many fields are new.
local added = 0
-- Lua's unpack fails at some thousands of values.
local is_new = redis.call('EXISTS', KEYS[1]) == 0
for from = 3, #ARGV, 1000 do
  added = added + redis.call('HSET', KEYS[1], unpack(ARGV, from, math.min(from + 999, #ARGV)))
end
if ARGV[1] == 'set' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif ARGV[1] == 'clear' then
  redis.call('PERSIST', KEYS[1])
elseif ARGV[2] ~= '' and is_new then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return added
