-- ARGV: rule, milliseconds, field, value. Returns 1 if the field was set; else nothing changes.
local is_new = redis.call('EXISTS', KEYS[1]) == 0
if redis.call('HSETNX', KEYS[1], ARGV[3], ARGV[4]) == 0 then return 0 end
if ARGV[1] == 'set' then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif ARGV[1] == 'clear' then
  redis.call('PERSIST', KEYS[1])
elseif ARGV[2] ~= '' and is_new then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
