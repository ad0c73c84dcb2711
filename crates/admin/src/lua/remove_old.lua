-- Removes each key that is still old. ARGV has two values for a key: how its age is known, and the bound.
-- 'ttl': it has at most so many milliseconds left; 'idle': it has been unused for at least so many seconds;
-- 'any': whatever its age. Returns 1 for each key that was removed, else 0.
local removed = {}
for i, key in ipairs(KEYS) do
  local by, bound = ARGV[2 * i - 1], tonumber(ARGV[2 * i])
  local is_old = by == 'any'
  if by == 'ttl' then
    local left = redis.call('PTTL', key)
    is_old = left >= 0 and left <= bound
  elseif by == 'idle' then
    -- An error where the policy has become LFU meanwhile: then nothing tells that the key is old.
    local idle = redis.pcall('OBJECT', 'IDLETIME', key)
    is_old = type(idle) == 'number' and idle >= bound
  end
  removed[i] = is_old and redis.call('UNLINK', key) or 0
end
return removed
