-- ARGV: rule, milliseconds, field, addend. Returns the sum as text: a Lua number is a double.
local is_new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('HINCRBY', KEYS[1], ARGV[3], ARGV[4])
if ARGV[1] == 'set' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif ARGV[1] == 'clear' then
  redis.call('PERSIST', KEYS[1])
elseif ARGV[2] ~= '' and is_new then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('HGET', KEYS[1], ARGV[3])
