-- Returns {'ok', status, birth token, milliseconds since the end or '', 1 if paused, 1 if the completion is
-- unfinished, total, done, dead, bytes}, followed for each stage by done, dead, claimed, ready, delayed.
local facts = redis.call('HMGET', base, 'status', 'paused', 'total', 'done', 'dead', 'bytes',
  'completion', 'ended')
local ended = facts[8] and text(math.max(now_ms - facts[8], 0)) or ''
local answer = {'ok', facts[1], text(born), ended, facts[2] and 1 or 0, facts[7] and 1 or 0, facts[3], facts[4], facts[5],
  facts[6]}
for stage = 0, stages - 1 do
  local of = redis.call('HMGET', base, 'done:' .. stage, 'dead:' .. stage, 'claimed:' .. stage,
    'next:' .. stage, 'restored:' .. stage)
  local ready = redis.call('LLEN', base .. ':ready:' .. stage)
  if is_root(stage) then
    ready = ready + math.max(0, facts[3] - (of[4] or 0) - (of[5] or 0))
  end
  local n = #answer
  answer[n + 1], answer[n + 2], answer[n + 3] = of[1] or 0, of[2] or 0, of[3] or 0
  answer[n + 4], answer[n + 5] = ready, redis.call('ZCARD', base .. ':delayed:' .. stage)
end
return answer
