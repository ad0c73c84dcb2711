-- ARGV[2]: the name of copies, [3]: how many waiting documents are listed here. More are copied, which the server does in
-- a fraction of the time, and read from the copy afterwards.
-- Returns {'ok', status, all fields and values of the hash, the bitmap :done, the bitmap :dead}, followed for each
-- stage by the number of documents in its copy, and two texts: the waiting ordinals that are in no copy, and the
-- claimed ones.
local KEPT_FOR, LISTED = 600000, tonumber(ARGV[3])
local answer = {'ok', redis.call('HGET', base, 'status'), redis.call('HGETALL', base),
  redis.call('GET', base .. ':done') or '', redis.call('GET', base .. ':dead') or ''}
local held = {}
for _, packed in ipairs(redis.call('HVALS', base .. ':held')) do
  local claim = cmsgpack.unpack(packed)
  local of = table.remove(claim, 1)
  held[of] = held[of] or {}
  table.insert(held[of], table.concat(claim, ','))
end
-- Returns the number of documents in the copy; 0 if there is none, as where the login may not write. A copy that is
-- there already is that of an earlier attempt, which is being read perhaps.
local function copied(ready, copy)
  local count = redis.call('LLEN', ready)
  if count <= LISTED or redis.pcall('COPY', ready, copy) ~= 1 then return 0 end
  if redis.pcall('PEXPIRE', copy, KEPT_FOR) == 1 then return count end
  redis.call('DEL', copy)
  return 0
end
for stage = 0, stages - 1 do
  local ready, waiting, from = base .. ':ready:' .. stage, {}, 0
  local count = copied(ready, ARGV[2] .. ':' .. stage)
  while count == 0 do
    local page = redis.call('LRANGE', ready, from, from + 999)
    if #page > 0 then waiting[#waiting + 1] = table.concat(page, ',') end
    from = from + 1000
    if #page < 1000 then break end
  end
  for _, ordinal in ipairs(redis.call('ZRANGE', base .. ':delayed:' .. stage, 0, -1)) do
    waiting[#waiting + 1] = ordinal
  end
  answer[#answer + 1] = count
  answer[#answer + 1] = table.concat(waiting, ',')
  answer[#answer + 1] = table.concat(held[stage] or {}, ',')
end
return answer
