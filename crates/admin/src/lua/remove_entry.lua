-- Removes the entry ARGV[1] from the list, the set or the sorted set KEYS[1], or without ARGV[1] all of KEYS[1], if none
-- of the other keys exists. Returns 1 if it was removed, else 0.
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return 0 end
end
if not ARGV[1] then return redis.call('UNLINK', KEYS[1]) end
local kind, removed = redis.call('TYPE', KEYS[1]).ok, 0
if kind == 'list' then
  removed = redis.call('LREM', KEYS[1], 0, ARGV[1])
elseif kind == 'zset' then
  removed = redis.call('ZREM', KEYS[1], ARGV[1])
elseif kind == 'set' then
  removed = redis.call('SREM', KEYS[1], ARGV[1])
end
return math.min(1, removed)
