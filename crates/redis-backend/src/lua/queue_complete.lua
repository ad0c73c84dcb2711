-- ARGV[2…]: claims. Returns for each 1 if it still counted, else 0; a repeated claim counts once.
local answers, ids = {}, {}
for i = 2, #ARGV do
  -- Each separately, because only this tells which of them counted without asking for scores first.
  local counted = redis.call('ZREM', leases, ARGV[i])
  answers[i - 1] = counted
  if counted == 1 then ids[#ids + 1] = string.sub(ARGV[i], 1, 16) end
end
call_many('HDEL', tasks, ids)
-- Most tasks never failed and have no deduplication key.
if redis.call('EXISTS', attempts, lost, holds) > 0 then
  call_many('HDEL', attempts, ids)
  call_many('HDEL', lost, ids)
  call_many('HDEL', errors, ids)
  for i, key in ipairs(ask_many('HMGET', holds, ids)) do
    if key then
      redis.call('HDEL', holds, ids[i])
      redis.call('HDEL', taken, key)
    end
  end
end
return answers
