-- Shortens the TTL of each key to ARGV[1] milliseconds where it has more left, and where it has none if ARGV[2] is
-- 1. No TTL becomes longer. Returns 1 for each key that was changed, else 0.
local changed, bound = {}, tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  local is_longer = left > bound or (left == -1 and ARGV[2] == '1')
  changed[i] = is_longer and redis.call('PEXPIRE', key, ARGV[1]) or 0
end
return changed
