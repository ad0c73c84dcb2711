-- ARGV[2]: a group of consumers, [3]: the verb. 'join' returns {'ok', 1 if the group was created}. 'acknowledge' with
-- [4…]: ids returns {'ok', their number}. 'next' or 'take' with [4]: consumer, [5]: maximum number, and for 'take'
-- [6]: minimum idle time in milliseconds return {'ok', id, fields, id, …}. Returns {'no group'} if the group does not
-- exist.
local key, group, what = base .. ':events', ARGV[2], ARGV[3]
if what == 'join' then
  local made = redis.pcall('XGROUP', 'CREATE', key, group, '0', 'MKSTREAM')
  if not made.err then return {'ok', 1} end
  if string.find(made.err, 'BUSYGROUP', 1, true) then return {'ok', 0} end
  return made
end
local is_there = false
if redis.call('EXISTS', key) == 1 then
  for _, known in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    is_there = is_there or known[2] == group
  end
end
if not is_there then return {'no group'} end
local answer = {'ok'}
local function add_all(events)
  for _, event in ipairs(events) do
    -- Servers before 7.0 return nil for deleted events.
    if event then answer[#answer + 1], answer[#answer + 2] = event[1], event[2] end
  end
end
if what == 'acknowledge' then
  if #ARGV == 3 then return {'ok', 0} end
  return {'ok', redis.call('XACK', key, group, unpack(ARGV, 4))}
end
if ARGV[5] == '0' then return answer end
if what == 'next' then
  local read = redis.call('XREADGROUP', 'GROUP', group, ARGV[4], 'COUNT', ARGV[5], 'STREAMS', key, '>')
  if read then add_all(read[1][2]) end
  return answer
end
local cursor, most = '0-0', tonumber(ARGV[5])
-- Deleted events are skipped; the number of rounds bounds the cost.
for _ = 1, 10 do
  local left = most - (#answer - 1) / 2
  if left <= 0 then break end
  local taken = redis.call('XAUTOCLAIM', key, group, ARGV[4], ARGV[6], cursor, 'COUNT', left)
  add_all(taken[2])
  cursor = taken[1]
  if cursor == '0-0' then break end
end
return answer
