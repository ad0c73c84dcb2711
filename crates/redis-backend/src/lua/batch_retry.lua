-- ARGV[2…]: alternating stages and ordinals of dead documents. Returns {'ok', the number that were dead}.
local total, revived, retried = field('total'), 0, {}
for i = 2, #ARGV, 2 do
  local stage, ordinal = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  if stage < stages and ordinal < total and is_set(':dead', stage, ordinal) then
    redis.call('SETBIT', base .. ':dead', at(stage, ordinal), 0)
    add('dead:' .. stage, -1)
    local still = false
    for other = 0, stages - 1 do still = still or is_set(':dead', other, ordinal) end
    if not still then add('dead', -1) end
    for _, counts in ipairs({':tries', ':lost'}) do
      if redis.call('EXISTS', base .. counts) == 1 then
        redis.call('BITFIELD', base .. counts, 'SET', 'u4', '#' .. at(stage, ordinal), 0)
      end
    end
    if is_root(stage) and ordinal >= field('next:' .. stage) then
      -- It was restored as dead, and its turn is still to come.
      add('restored:' .. stage, -1)
    else
      redis.call('RPUSH', base .. ':ready:' .. stage, ordinal)
    end
    retried[stage] = retried[stage] or {}
    table.insert(retried[stage], ordinal)
    redis.call('HDEL', base .. ':errors', stage .. ':' .. ordinal)
    revived = revived + 1
  end
end
for stage = 0, stages - 1 do
  if retried[stage] then
    table.sort(retried[stage])
    keep('fact', 'retried', 'stage', stage, 'documents', ranges(retried[stage]))
  end
end
if revived > 0 and redis.call('HGET', base, 'status') == 'completed' then
  redis.call('HSET', base, 'status', 'sealed')
  redis.call('HDEL', base, 'completion', 'completion_ends', 'ended')
  complete()
end
return {'ok', revived}
