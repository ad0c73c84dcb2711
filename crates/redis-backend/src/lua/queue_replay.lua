-- Then: ids. Returns how many of them were dead.
local count = 0
for i = 2, #ARGV do
  local id = ARGV[i]
  local record = redis.call('ZREM', dead, id) == 1 and redis.call('HGET', tasks, id)
  if record then
    count = count + 1
    local line = line_of(record)
    record = line .. string.format('%014.0f', now) .. string.sub(record, #line + 15)
    redis.call('HSET', tasks, id, record)
    redis.call('HDEL', attempts, id)
    redis.call('HDEL', errors, id)
    wait(record, id)
  end
end
settle()
return count
