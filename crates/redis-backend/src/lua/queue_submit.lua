-- Four arguments for each task: its line, delay in milliseconds, deduplication key or '', payload. Returns for each
-- the new id and 1, or the id of the task that has its key and 0.
local last
-- The next number for a task or a claim: greater than the last one, and than all from before a flush.
local function next_number()
  last = math.max(tonumber(last or redis.call('HGET', meta, 'last') or 0) + 1, time)
  return string.format('%016.0f', last)
end

local wait, settle = lines()
local answer, records = {}, {}
for i = 2, #ARGV, 4 do
  local line, delay, key = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local id = key ~= '' and redis.call('HGET', taken, key)
  local is_new = not id
  if is_new then
    id = next_number()
    if key ~= '' then
      redis.call('HSET', taken, key, id)
      redis.call('HSET', holds, id, key)
    end
    local record = line .. string.format('%014.0f', now + delay) .. ARGV[i + 3]
    records[#records + 1] = id
    records[#records + 1] = record
    if delay == 0 then
      wait(record, id)
    else
      redis.call('ZADD', delayed, whole(now + delay), id)
    end
  end
  answer[#answer + 1] = id
  answer[#answer + 1] = is_new and 1 or 0
end
if last then redis.call('HSET', meta, 'last', whole(last)) end
call_many('HSET', tasks, records)
settle()
return answer
