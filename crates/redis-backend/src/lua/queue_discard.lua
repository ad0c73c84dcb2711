-- ARGV[2…]: ids. Returns how many of them were dead.
local count = 0
for i = 2, #ARGV do
  local id = ARGV[i]
  if redis.call('ZREM', dead, id) == 1 then
    count = count + 1
    redis.call('HDEL', tasks, id)
    redis.call('HDEL', attempts, id)
    redis.call('HDEL', errors, id)
    redis.call('HDEL', lost, id)
    redis.call('HDEL', holds, id)
  end
end
return count
