-- ARGV[2]: stage, [3]: token, [4]: note. Then for each document its ordinal if it is done, else 'retry', 'dead' or
-- 'back', the ordinal, the error, and the milliseconds until the retry. Returns {'ok', the number that counted, 1 if
-- this completed the batch}.
local stage, token = tonumber(ARGV[2]), ARGV[3]
if stage >= stages then return {'no stage'} end
if not gave(token) then return {'former'} end
local total = field('total')
local is_current, held, mine, left = false, nil, {}, 0
local packed = redis.call('HGET', base .. ':held', token)
if packed then
  held = cmsgpack.unpack(packed)
  if held[1] == stage then
    is_current = tonumber(redis.call('ZSCORE', base .. ':leases', token)) > now_ms
    for i = 2, #held do mine[held[i]] = true end
    left = #held - 1
  end
end
local before, back, done, doubted, is_doubted = left, {}, {}, {}, false
local finished, refused, counted = {}, {}, 0
-- Marks the documents in `done` as done.
local function finish_told()
  local able = done
  if is_doubted then
    -- A success for a document that the claim does not hold counts only if a lease on it expired before.
    local lost = counts_of(':lost', stage, done)
    able = {}
    for i = 1, #done do
      if not doubted[i] or (lost[i] or 0) > 0 then able[#able + 1] = done[i] end
    end
  end
  if #able > 0 then able = finish(stage, able) end
  for i = 1, #able do finished[#finished + 1] = able[i] end
  counted = counted + #able
  if #able < #done then
    local known = 1
    for i = 1, #done do
      if done[i] == able[known] then known = known + 1 else refused[#refused + 1] = tonumber(done[i]) end
    end
  end
  done, doubted, is_doubted = {}, {}, false
end
local i = 5
while i <= #ARGV do
  local name, what, message, after = ARGV[i], nil, nil, nil
  local ordinal = tonumber(name)
  if not ordinal then
    what, ordinal, message, after = name, tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
    i = i + 3
  end
  i = i + 1
  local was_held = mine[ordinal] and (is_current or not what)
  if was_held then
    mine[ordinal] = nil
    left = left - 1
  end
  local news = false
  if ordinal >= total then
    news = false
  elseif not what then
    done[#done + 1] = name
    if not was_held then doubted[#done], is_doubted = true, true end
    news = true
  elseif is_current and was_held then
    if #done > 0 then finish_told() end
    news = true
    if what == 'back' then
      back[#back + 1] = ordinal
    elseif is_set(':done', stage, ordinal) or is_set(':dead', stage, ordinal) then
      -- The worker that lost the document to this claim has finished it after all.
      news = false
    elseif what == 'dead' or count(':tries', stage, ordinal) >= plan.max_attempts then
      news = bury(stage, ordinal, message)
    else
      redis.call('HSET', base .. ':errors', stage .. ':' .. ordinal, message)
      redis.call('ZADD', base .. ':delayed:' .. stage, text(now_ms + after),
        string.format('%010d', ordinal))
    end
    if news then counted = counted + 1 end
  end
  if not news and what ~= 'back' then refused[#refused + 1] = ordinal end
end
if #done > 0 then finish_told() end
-- In the order in which they were reported.
for n = #back, 1, -1 do redis.call('LPUSH', base .. ':ready:' .. stage, back[n]) end
if left < before then
  add('claimed:' .. stage, left - before)
  if left == 0 then
    redis.call('HDEL', base .. ':held', token)
    redis.call('ZREM', base .. ':leases', token)
  else
    local rest = {stage}
    for n = 2, #held do
      if mine[held[n]] then rest[#rest + 1] = held[n] end
    end
    redis.call('HSET', base .. ':held', token, cmsgpack.pack(rest))
  end
end
-- Handing back needs no outbox entry.
if counted > #back then
  keep('fact', 'settled', 'stage', stage, 'token', token, 'refused', ranges(refused), 'note', ARGV[4])
end
if #finished > 0 then tell('stage_done', finished, stage) end
tell_died(false)
return {'ok', counted, complete() and 1 or 0}
