-- Returns {'ok', status, all fields and values of the hash, the bitmap :done, the bitmap :dead}, followed for each
-- stage by two texts: the waiting ordinals and the claimed ordinals.
local answer = {'ok', redis.call('HGET', base, 'status'), redis.call('HGETALL', base),
  redis.call('GET', base .. ':done') or '', redis.call('GET', base .. ':dead') or ''}
local held = {}
for _, packed in ipairs(redis.call('HVALS', base .. ':held')) do
  local claim = cmsgpack.unpack(packed)
  local of = table.remove(claim, 1)
  held[of] = held[of] or {}
  table.insert(held[of], table.concat(claim, ','))
end
for stage = 0, stages - 1 do
  local waiting, from = {}, 0
  repeat
    local page = redis.call('LRANGE', base .. ':ready:' .. stage, from, from + 999)
    if #page > 0 then waiting[#waiting + 1] = table.concat(page, ',') end
    from = from + 1000
  until #page < 1000
  for _, ordinal in ipairs(redis.call('ZRANGE', base .. ':delayed:' .. stage, 0, -1)) do
    waiting[#waiting + 1] = ordinal
  end
  answer[#answer + 1] = table.concat(waiting, ',')
  answer[#answer + 1] = table.concat(held[stage] or {}, ',')
end
return answer
