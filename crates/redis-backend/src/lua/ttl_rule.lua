-- What a write that adds to a value does to the key's TTL. Stands in front of each such script,
-- whose first two arguments are the rule and milliseconds or ''.
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
