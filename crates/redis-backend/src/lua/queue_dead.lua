-- ARGV[2]: tasks to skip, [3]: maximum to list. Returns id, millisecond of death, failed attempts, expired leases,
-- error and record of each.
local from = tonumber(ARGV[2])
local page = redis.call('ZRANGE', dead, whole(from), whole(from + ARGV[3] - 1), 'WITHSCORES')
local answer = {}
for i = 1, #page, 2 do
  local id = page[i]
  local record = redis.call('HGET', tasks, id)
  if record then
    local parts = {id, page[i + 1], redis.call('HGET', attempts, id) or 0,
      redis.call('HGET', lost, id) or 0,
      redis.call('HGET', errors, id) or '', record}
    for _, part in ipairs(parts) do answer[#answer + 1] = part end
  end
end
return answer
