-- Follows batch_open.lua in scripts that may bury documents or complete the batch, and publishes events and outbox
-- entries.
-- Ordinals as text, for example '0-99,104'.
local function ranges(ordinals)
  local parts, i, format = {}, 1, string.format
  while i <= #ordinals do
    local first = tonumber(ordinals[i])
    local last = first
    while tonumber(ordinals[i + 1]) == last + 1 do
      last, i = last + 1, i + 1
    end
    parts[#parts + 1] = format(first == last and '%d' or '%d-%d', first, last)
    i = i + 1
  end
  return table.concat(parts, ',')
end
-- Adds an entry to the outbox. The arguments are alternating names and values.
local function keep(...)
  if plan.outbox then redis.call('XADD', base .. ':outbox', '*', ...) end
end
local function bytes_of(parts)
  local bytes = 0
  for i = 1, #parts do bytes = bytes + #parts[i] end
  return bytes
end
local function tell(event, ordinals, stage, message)
  local most = plan.event_bytes or 0
  if most == 0 then return end
  local parts, key = {'event', event, 'documents', ranges(ordinals)}, base .. ':events'
  if stage then parts[5], parts[6] = 'stage', plan.stages[stage + 1].name end
  if message then parts[7], parts[8] = 'error', message end
  local bytes = field('event_bytes') + bytes_of(parts)
  redis.call('XADD', key, '*', unpack(parts))
  -- Each event is removed once, so removal costs as much as adding did.
  while bytes > most do
    local gone = {}
    for _, oldest in ipairs(redis.call('XRANGE', key, '-', '+', 'COUNT', 10)) do
      if bytes <= most then break end
      bytes = bytes - bytes_of(oldest[2])
      gone[#gone + 1] = oldest[1]
    end
    -- Another client removed them.
    if #gone == 0 then bytes = 0 else redis.call('XDEL', key, unpack(gone)) end
  end
  redis.call('HSET', base, 'event_bytes', text(bytes))
end
-- Completes a sealed batch if all its documents are settled.
local function complete()
  local facts = redis.call('HMGET', base, 'status', 'total', 'done', 'dead')
  if facts[1] ~= 'sealed' then return false end
  if tonumber(facts[3]) + tonumber(facts[4]) ~= tonumber(facts[2]) then return false end
  redis.call('HSET', base, 'status', 'completed', 'completion', 'due', 'ended', text(now_ms))
  tell('completed', {})
  return true
end
local died = {}
-- Marks a document as dead in a stage; returns false if it already was, or is done.
local function bury(stage, ordinal, message)
  if is_set(':done', stage, ordinal) then return false end
  local before = false
  for other = 0, stages - 1 do before = before or is_set(':dead', other, ordinal) end
  if redis.call('SETBIT', base .. ':dead', at(stage, ordinal), 1) == 1 then return false end
  add('dead:' .. stage, 1)
  if not before then add('dead', 1) end
  redis.call('HSET', base .. ':errors', stage .. ':' .. ordinal, message)
  local group = died[stage .. ':' .. message]
  if not group then
    group = {stage = stage, message = message, ordinals = {}}
    died[stage .. ':' .. message], died[#died + 1] = group, group
  end
  table.insert(group.ordinals, ordinal)
  return true
end
-- Publishes a 'failed' event for the buried documents. If expired leases killed them, also writes the outbox entry
-- that no worker wrote.
local function tell_died(was_lost)
  for _, group in ipairs(died) do
    table.sort(group.ordinals)
    if was_lost then
      keep('fact', 'lost', 'stage', group.stage, 'documents', ranges(group.ordinals),
        'error', group.message)
    end
    tell('failed', group.ordinals, group.stage, group.message)
  end
end
