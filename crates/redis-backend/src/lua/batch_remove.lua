-- Removes a batch, its entries 1,000 hashes at a time. Returns {'ok', 1 once nothing is left}.
local chunks = math.ceil(field('total') / 100)
local from = field('removed')
local to = math.min(chunks, from + 1000)
for n = from, to - 1 do redis.call('UNLINK', base .. ':e:' .. n) end
if to < chunks then
  redis.call('HSET', base, 'removed', to, 'status', 'cancelled')
  return {'ok', 0}
end
for stage = 0, stages - 1 do
  redis.call('UNLINK', base .. ':ready:' .. stage, base .. ':delayed:' .. stage)
end
redis.call('UNLINK', base .. ':done', base .. ':dead', base .. ':tries', base .. ':leases',
  base .. ':held', base .. ':errors', base .. ':outbox', base .. ':events', base)
return {'ok', 1}
