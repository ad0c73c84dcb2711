-- Removes the queue for replies KEYS[1] with its member ARGV[2] of the table KEYS[2], if it is still a list that has been
-- unused for ARGV[1] seconds: a reader that waits takes each reply at once. Returns 1 if it was removed, else 0.
if redis.call('TYPE', KEYS[1]).ok ~= 'list' then return 0 end
local idle = redis.pcall('OBJECT', 'IDLETIME', KEYS[1])
if type(idle) ~= 'number' or idle < tonumber(ARGV[1]) then return 0 end
if ARGV[2] ~= '' and redis.call('TYPE', KEYS[2]).ok == 'set' then
  redis.call('SREM', KEYS[2], ARGV[2])
end
return redis.call('UNLINK', KEYS[1])
