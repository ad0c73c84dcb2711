-- ARGV[2]: stage, [3]: how many at most, [4]: lease in milliseconds.
-- Returns {'ok', token, ordinal, attempt, entry, ordinal, …}, or {'ok'} where there is nothing.
local stage, most = tonumber(ARGV[2]), tonumber(ARGV[3])
if stage >= stages then return {'no stage'} end
-- Leases that have ended give back what they held: a few, so that the cost is bounded.
local ended = redis.call('ZRANGEBYSCORE', base .. ':leases', '-inf', now_ms, 'LIMIT', 0, 4)
for _, token in ipairs(ended) do
  redis.call('ZREM', base .. ':leases', token)
  local held = redis.call('HGET', base .. ':held', token)
  redis.call('HDEL', base .. ':held', token)
  held = cmsgpack.unpack(held)
  local of = held[1]
  add('claimed:' .. of, 1 - #held)
  for i = #held, 2, -1 do
    local ordinal = held[i]
    if not is_set(':done', of, ordinal) and not is_set(':dead', of, ordinal) then
      local tried = tries(of, ordinal)
      if tried >= plan.max_attempts then
        bury(of, ordinal, 'no worker settled it within its lease, ' .. tried .. ' times')
      else
        redis.call('LPUSH', base .. ':ready:' .. of, ordinal)
      end
    end
  end
end
if #ended > 0 then complete() end
local facts = redis.call('HMGET', base, 'status', 'paused', 'total', 'next:' .. stage)
if facts[2] or (facts[1] ~= 'open' and facts[1] ~= 'sealed') then return {'ok'} end
local ready, delayed = base .. ':ready:' .. stage, base .. ':delayed:' .. stage
local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now_ms, 'LIMIT', 0, most)
for _, ordinal in ipairs(due) do
  redis.call('ZREM', delayed, ordinal)
  redis.call('RPUSH', ready, tonumber(ordinal))
end
local total, next_one = tonumber(facts[3]), tonumber(facts[4] or '0')
local is_root = #plan.stages[stage + 1].after == 0
local taken = {}
while #taken < most do
  local page = redis.call('LPOP', ready, most - #taken)
  if not page or #page == 0 then break end
  local places = places_of(stage, page)
  local done, dead = many(':done', 'GET', 'u1', places), many(':dead', 'GET', 'u1', places)
  for i = 1, #page do
    if done[i] + dead[i] == 0 then taken[#taken + 1] = tonumber(page[i]) end
  end
end
if is_root and #taken < most and next_one < total then
  while #taken < most and next_one < total do
    taken[#taken + 1] = next_one
    next_one = next_one + 1
  end
  redis.call('HSET', base, 'next:' .. stage, next_one)
end
if #taken == 0 then return {'ok'} end
local tried = many(':tries', 'INCRBY', 'u4', marked(places_of(stage, taken)), '1')
local answer = {'ok', next_token()}
local from = 1
while from <= #taken do
  -- Neighbours share a hash.
  local chunk, fields, to = math.floor(taken[from] / 100), {}, from
  while to <= #taken and math.floor(taken[to] / 100) == chunk do
    fields[#fields + 1] = string.format('%d', taken[to] % 100)
    to = to + 1
  end
  local entries = redis.call('HMGET', base .. ':e:' .. chunk, unpack(fields))
  for i = 1, #fields do
    local n = #answer
    answer[n + 1], answer[n + 2], answer[n + 3] = taken[from], tried[from], entries[i]
    from = from + 1
  end
end
add('claimed:' .. stage, #taken)
table.insert(taken, 1, stage)
redis.call('HSET', base .. ':held', answer[2], cmsgpack.pack(taken))
redis.call('ZADD', base .. ':leases', text(now_ms + ARGV[4]), answer[2])
return answer
