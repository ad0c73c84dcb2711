-- ARGV[2…]: ids. Returns how many were replayed: they were dead, and their key, if any, was free.
local wait, settle, line_of = lines()
local count = 0
for i = 2, #ARGV do
  local id = ARGV[i]
  local key = redis.call('HGET', holds, id)
  local may = redis.call('ZSCORE', dead, id) and not (key and redis.call('HEXISTS', taken, key) == 1)
  local record = may and redis.call('HGET', tasks, id)
  if record then
    count = count + 1
    redis.call('ZREM', dead, id)
    if key then redis.call('HSET', taken, key, id) end
    local line = line_of(record)
    record = line .. string.format('%014.0f', now) .. string.sub(record, #line + 15)
    redis.call('HSET', tasks, id, record)
    redis.call('HDEL', attempts, id)
    redis.call('HDEL', errors, id)
    redis.call('HDEL', lost, id)
    wait(record, id)
  end
end
settle()
return count
