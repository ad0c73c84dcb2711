-- ARGV[2…]: stage and ordinal of dead documents by turns. Returns {'ok', how many were dead}.
local total, revived = field('total'), 0
for i = 2, #ARGV, 2 do
  local stage, ordinal = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  if stage < stages and ordinal < total and is_set(':dead', stage, ordinal) then
    redis.call('SETBIT', base .. ':dead', at(stage, ordinal), 0)
    add('dead:' .. stage, -1)
    local still = false
    for other = 0, stages - 1 do still = still or is_set(':dead', other, ordinal) end
    if not still then add('dead', -1) end
    redis.call('BITFIELD', base .. ':tries', 'SET', 'u4', '#' .. at(stage, ordinal), 0)
    redis.call('RPUSH', base .. ':ready:' .. stage, ordinal)
    redis.call('HDEL', base .. ':errors', stage .. ':' .. ordinal)
    revived = revived + 1
  end
end
if revived > 0 and redis.call('HGET', base, 'status') == 'completed' then
  redis.call('HSET', base, 'status', 'sealed')
  redis.call('HDEL', base, 'completion', 'completion_ends')
  complete()
end
return {'ok', revived}
