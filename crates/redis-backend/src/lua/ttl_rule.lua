-- The effect of an update on the key's TTL. Precedes each script that updates a value; the first two arguments of
-- such a script are the rule and milliseconds or ''.
local is_new = redis.call('EXISTS', KEYS[1]) == 0
local function apply_ttl_rule()
  if ARGV[1] == 'set' then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  elseif ARGV[1] == 'clear' then
    redis.call('PERSIST', KEYS[1])
  elseif ARGV[2] ~= '' and is_new then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
