-- Removes the job ARGV[1], whose hash is KEYS[1], if no part of its queue names it and nobody works on it. ARGV[2] is the
-- number of lists and sorted sets that may name it, from KEYS[3] on; KEYS[2] is its lock. The keys behind them belong to
-- the job alone and go with it. Returns 1 if it was removed, else 0.
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local last = 2 + ARGV[2]
for i = 3, last do
  local kind, named = redis.call('TYPE', KEYS[i]).ok, false
  if kind == 'list' then
    named = redis.call('LPOS', KEYS[i], ARGV[1])
  elseif kind == 'zset' then
    named = redis.call('ZSCORE', KEYS[i], ARGV[1])
  elseif kind == 'set' then
    named = redis.call('SISMEMBER', KEYS[i], ARGV[1]) == 1
  elseif kind ~= 'none' then
    return 0
  end
  if named then return 0 end
end
local removed = redis.call('UNLINK', KEYS[1])
for i = last + 1, #KEYS do redis.call('UNLINK', KEYS[i]) end
return removed
