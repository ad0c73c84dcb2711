-- Removes a batch, at most 1,000 lists of entries at a time. ARGV[2]: 'ended' to remove it only if it has ended.
-- Returns {'ok', 1 when nothing is left, 0 while there is more, 2 if it must stay}.
if ARGV[2] == 'ended' and field('removed') == 0 then
  local facts = redis.call('HMGET', base, 'status', 'completion')
  local is_over = (facts[1] == 'completed' or facts[1] == 'cancelled') and not facts[2]
  if not is_over or redis.call('ZCOUNT', base .. ':leases', '(' .. text(now_ms), '+inf') > 0
    or redis.call('XLEN', base .. ':outbox') > 0 then
    return {'ok', 2}
  end
end
local chunks = math.ceil(field('total') / 100)
local from = field('removed')
local to = math.min(chunks, from + 1000)
for n = from, to - 1 do redis.call('UNLINK', base .. ':e:' .. n) end
if to < chunks then
  redis.call('HSET', base, 'removed', to, 'status', 'cancelled')
  redis.call('HSETNX', base, 'ended', text(now_ms))
  return {'ok', 0}
end
for stage = 0, stages - 1 do
  redis.call('UNLINK', base .. ':ready:' .. stage, base .. ':delayed:' .. stage)
end
redis.call('UNLINK', base .. ':done', base .. ':dead', base .. ':tries', base .. ':lost', base .. ':leases',
  base .. ':held', base .. ':errors', base .. ':outbox', base .. ':events', base)
return {'ok', 1}
