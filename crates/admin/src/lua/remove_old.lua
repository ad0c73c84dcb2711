-- Removes each key that may still go. ARGV has two values for a key: how that is known, and the bound.
-- 'ttl': it has at most so many milliseconds left; 'idle': it has been unused for at least so many seconds;
-- 'tail': it has no TTL, and its end has this text; 'updated_ms' and 'lease_ends_ms': this field has this value;
-- 'any': whatever its age. Returns 1 for each key that was removed, else 0.
local TAIL = 16384
local removed = {}
for i, key in ipairs(KEYS) do
  local by, text = ARGV[2 * i - 1], ARGV[2 * i]
  local bound = tonumber(text)
  local is_old = by == 'any'
  if by == 'ttl' then
    local left = redis.call('PTTL', key)
    is_old = left >= 0 and left <= bound
  elseif by == 'idle' then
    -- An error where the policy has become LFU meanwhile: then nothing tells that the key is old.
    local idle = redis.pcall('OBJECT', 'IDLETIME', key)
    is_old = type(idle) == 'number' and idle >= bound
  elseif by == 'tail' and redis.call('PTTL', key) == -1 then
    local tail = redis.pcall('GETRANGE', key, -TAIL, -1)
    is_old = type(tail) == 'string' and string.find(tail, text, 1, true) ~= nil
  elseif by == 'updated_ms' or by == 'lease_ends_ms' then
    is_old = redis.pcall('HGET', key, by) == text
  end
  removed[i] = is_old and redis.call('UNLINK', key) or 0
end
return removed
