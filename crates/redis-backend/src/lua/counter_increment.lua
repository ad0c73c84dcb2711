-- ARGV: rule, milliseconds, addend. Returns the sum as text: a Lua number is a double.
local is_new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('INCRBY', KEYS[1], ARGV[3])
if ARGV[1] == 'set' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif ARGV[1] == 'clear' then
  redis.call('PERSIST', KEYS[1])
elseif ARGV[2] ~= '' and is_new then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('GET', KEYS[1])
