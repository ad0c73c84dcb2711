-- ARGV[2]: stage, [3]: maximum number of documents, [4]: lease in milliseconds, [5]: claimant, [6]: slot, [7]: number
-- of the slot's request. Returns {'ok', token, ordinal, counts, entry, ordinal, …}; counts is 16 times the number of
-- leases that expired for the document, plus its failed attempts. Returns {'ok'} if there is nothing, and {'ok', 0}
-- if the documents that were checked are settled but there are more.
local stage, most = tonumber(ARGV[2]), tonumber(ARGV[3])
if stage >= stages then return {'no stage'} end
local asked, number = base .. ':asked:' .. ARGV[5], tonumber(ARGV[7])
if was_withdrawn(head[4], now_ms, asked, ARGV[6], number) then return {'ok'} end
-- Hand back what expired leases hold; only a few, so that the cost is bounded.
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
      local lost = count(':lost', of, ordinal)
      if lost >= plan.max_lost then
        bury(of, ordinal, 'no worker settled it within its lease, ' .. lost .. ' times')
      else
        redis.call('LPUSH', base .. ':ready:' .. of, ordinal)
      end
    end
  end
end
if #ended > 0 then
  tell_died(true)
  complete()
end
local facts = redis.call('HMGET', base, 'status', 'paused', 'total', 'next:' .. stage,
  'restored:' .. stage)
if facts[2] or (facts[1] ~= 'open' and facts[1] ~= 'sealed') then return {'ok'} end
local ready, delayed = base .. ':ready:' .. stage, base .. ':delayed:' .. stage
local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now_ms, 'LIMIT', 0, most)
for _, ordinal in ipairs(due) do
  redis.call('ZREM', delayed, ordinal)
  redis.call('RPUSH', ready, tonumber(ordinal))
end
local total, next_one = tonumber(facts[3]), tonumber(facts[4] or '0')
local taken, has_dead = {}, redis.call('EXISTS', base .. ':dead') == 1
-- Takes the documents of a page that are neither done nor dead in this stage, until there are enough. Returns how
-- many it checked, and how many of these were settled.
local function take(page)
  local places, settled = places_of(stage, page), 0
  local done = many(':done', 'GET', 'u1', places)
  local dead = has_dead and many(':dead', 'GET', 'u1', places)
  for i = 1, #page do
    if #taken == most then return i - 1, settled end
    if done[i] == 0 and (not dead or dead[i] == 0) then
      taken[#taken + 1] = tonumber(page[i])
    else
      settled = settled + 1
    end
  end
  return #page, settled
end
-- A document whose lease has expired may have ended its worker. It is claimed alone, so that only it dies of this.
local function first_suspect(page)
  local lost = counts_of(':lost', stage, page)
  for i = 1, #page do
    if (lost[i] or 0) > 0 then return i end
  end
end
local is_closed = false
while #taken < most and not is_closed do
  local page = redis.call('LPOP', ready, most - #taken)
  if not page or #page == 0 then break end
  local suspect = first_suspect(page)
  if suspect then
    local first = #taken == 0 and suspect == 1 and 2 or suspect
    local back = {}
    for i = #page, first, -1 do
      back[#back + 1] = page[i]
      page[i] = nil
    end
    if #back > 0 then redis.call('LPUSH', ready, unpack(back)) end
  end
  take(page)
  is_closed = suspect and #taken > 0
end
if is_root(stage) and #taken < most and not is_closed and next_one < total then
  local restored, rounds = tonumber(facts[5] or '0'), 0
  -- In a restored batch some documents are settled before their turn. They are skipped, a limited number in one
  -- claim, so that it stays short.
  while restored > 0 and #taken < most and next_one < total and rounds < 10 do
    local page = {}
    for i = 1, math.min(total - next_one, 500) do page[i] = next_one + i - 1 end
    local looked_at, settled = take(page)
    next_one, restored, rounds = next_one + looked_at, restored - settled, rounds + 1
    if settled > 0 then add('restored:' .. stage, -settled) end
  end
  while restored <= 0 and #taken < most and next_one < total do
    taken[#taken + 1] = next_one
    next_one = next_one + 1
  end
  redis.call('HSET', base, 'next:' .. stage, next_one)
end
if #taken == 0 then
  if is_root(stage) and next_one < total then return {'ok', 0} end
  return {'ok'}
end
local tried, lost = counts_of(':tries', stage, taken), counts_of(':lost', stage, taken)
local entries = entries_of(taken)
local answer = {'ok', next_token()}
for i = 1, #taken do
  local n = #answer
  answer[n + 1], answer[n + 2], answer[n + 3] = taken[i], (tried[i] or 0) + 16 * (lost[i] or 0), entries[i]
end
add('claimed:' .. stage, #taken)
table.insert(taken, 1, stage)
redis.call('HSET', base .. ':held', answer[2], cmsgpack.pack(taken))
redis.call('ZADD', base .. ':leases', text(now_ms + ARGV[4]), answer[2])
note_asked(asked, ARGV[6], number, answer[2])
return answer
