-- Marks a task as dead. Its deduplication key becomes free, and is kept in `holds` for a replay.
local function bury(id)
  local key = redis.call('HGET', holds, id)
  if key then redis.call('HDEL', taken, key) end
  redis.call('ZADD', dead, now, id)
end
