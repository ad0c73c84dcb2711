-- ARGV[2…]: claims. Returns for each 1 if it still counted, else 0.
local counting, answers = standing(2, true)
local ids = ids_of(counting)
call_many('ZREM', leases, counting)
call_many('HDEL', tasks, ids)
-- Most tasks never failed and have no deduplication key.
if redis.call('EXISTS', attempts, lost) > 0 then
  call_many('HDEL', attempts, ids)
  call_many('HDEL', lost, ids)
  call_many('HDEL', errors, ids)
end
if redis.call('EXISTS', holds) == 1 then
  for i, key in ipairs(ask_many('HMGET', holds, ids)) do
    if key then
      redis.call('HDEL', holds, ids[i])
      redis.call('HDEL', taken, key)
    end
  end
end
return answers
