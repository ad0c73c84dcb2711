-- ARGV[2]: stage, [3]: token, then for each document its ordinal if the stage is done with it, else
-- what ('retry', 'dead' or 'back'), the ordinal, the error, and the milliseconds until it is tried again.
-- Returns {'ok', how many counted, 1 if the batch is completed by this}.
local stage, token = tonumber(ARGV[2]), ARGV[3]
if stage >= stages then return {'no stage'} end
local total = field('total')
local is_current, mine, left = false, {}, 0
local packed = redis.call('HGET', base .. ':held', token)
if packed then
  local held = cmsgpack.unpack(packed)
  if held[1] == stage then
    is_current = tonumber(redis.call('ZSCORE', base .. ':leases', token)) > now_ms
    for i = 2, #held do mine[held[i]] = true end
    left = #held - 1
  end
end
local before, counted, back, done = left, 0, {}, {}
-- A stage's bit among all of a document's, the first stage's first.
local function bit_of(one) return 2 ^ (stages - 1 - one) end
local every, followers = 2 ^ stages - 1, {}
for after = stage + 1, stages - 1 do
  local needs, is_after = 0, false
  for _, one in ipairs(plan.stages[after + 1].after) do
    is_after = is_after or one == stage
    if bit.band(needs, bit_of(one)) == 0 then needs = needs + bit_of(one) end
  end
  if is_after then followers[#followers + 1] = {after, needs} end
end
-- The stage is done with those in `done`.
local function finish()
  local places = places_of(stage, done)
  local dead = many(':dead', 'GET', 'u1', places)
  local tried = many(':tries', 'GET', 'u4', marked(places))
  local able, bits = {}, {}
  for i = 1, #done do
    -- Of what nobody was given nothing is believed.
    if dead[i] == 0 and tried[i] > 0 then
      able[#able + 1], bits[#bits + 1] = done[i], places[i]
    end
  end
  done = {}
  local known, news, masks = many(':done', 'SET', 'u1', bits, '1'), {}, {}
  for i = 1, #able do
    if known[i] == 0 then
      news[#news + 1], masks[#masks + 1] = able[i], '#' .. able[i]
    end
  end
  if #news == 0 then return end
  masks = many(':done', 'GET', 'u' .. stages, masks)
  local whole, next_for = 0, {}
  for i = 1, #news do
    if masks[i] == every then whole = whole + 1 end
    for n, follower in ipairs(followers) do
      if bit.band(masks[i], follower[2]) == follower[2] then
        next_for[n] = next_for[n] or {}
        table.insert(next_for[n], news[i])
      end
    end
  end
  for n, ordinals in pairs(next_for) do
    redis.call('RPUSH', base .. ':ready:' .. followers[n][1], unpack(ordinals))
  end
  if redis.call('EXISTS', base .. ':errors') == 1 then
    local forgotten = {}
    for i = 1, #news do forgotten[i] = stage .. ':' .. news[i] end
    redis.call('HDEL', base .. ':errors', unpack(forgotten))
  end
  add('done:' .. stage, #news)
  if whole > 0 then add('done', whole) end
  counted = counted + #news
end
local i = 4
while i <= #ARGV do
  local name, what, message, after = ARGV[i], nil, nil, nil
  local ordinal = tonumber(name)
  if not ordinal then
    what, ordinal, message, after = name, tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
    i = i + 3
  end
  i = i + 1
  if ordinal < total then
    local was_held = mine[ordinal] and (is_current or not what)
    if was_held then
      mine[ordinal] = nil
      left = left - 1
    end
    if not what then
      done[#done + 1] = name
    elseif is_current and was_held then
      finish()
      local place = '#' .. at(stage, ordinal)
      local news = true
      if what == 'back' then
        redis.call('BITFIELD', base .. ':tries', 'OVERFLOW', 'SAT', 'INCRBY', 'u4', place, -1)
        back[#back + 1] = ordinal
      elseif what == 'dead' or tries(stage, ordinal) >= plan.max_attempts then
        news = bury(stage, ordinal, message)
      else
        redis.call('HSET', base .. ':errors', stage .. ':' .. ordinal, message)
        redis.call('ZADD', base .. ':delayed:' .. stage, text(now_ms + after),
          string.format('%010d', ordinal))
      end
      if news then counted = counted + 1 end
    end
  end
end
finish()
-- In the order in which they were told.
for i = #back, 1, -1 do redis.call('LPUSH', base .. ':ready:' .. stage, back[i]) end
if left < before then
  add('claimed:' .. stage, left - before)
  if left == 0 then
    redis.call('HDEL', base .. ':held', token)
    redis.call('ZREM', base .. ':leases', token)
  else
    local held = {}
    for ordinal in pairs(mine) do held[#held + 1] = ordinal end
    table.sort(held)
    table.insert(held, 1, stage)
    redis.call('HSET', base .. ':held', token, cmsgpack.pack(held))
  end
end
return {'ok', counted, complete() and 1 or 0}
