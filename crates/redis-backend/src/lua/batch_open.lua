-- Precedes every script of a batch. KEYS[1] is the batch's hash; KEYS[2] never exists: see script.rs. The other keys
-- begin with the name of the first, braces included, so that a cluster stores them together:
--   :e:<n>       list of the entries 100 n to 100 n + 99; small enough for the server to pack it
--   :done :dead  bitmaps, one bit for each document and stage
--   :tries       failed attempts, four bits for each document and stage; missing until the first failure
--   :lost        expired leases, in the form of :tries
--   :ready:<s>   list of documents to claim; :delayed:<s> documents to retry, by time
--   :leases      claims by the end of their lease; :held the documents of each; :errors the last error of each
--                document
--   :outbox      stream of outcomes for a ledger; :events stream of events for followers
--   :audit:<n>:<s> copy of :ready:<s> that an audit reads; it ends after ten minutes
--   :asked:<c>   the last requests of the claimant c: see asked.lua
-- ARGV[1] is the time in microseconds, or ''. After a slash it has the token that the batch must be born with, if the
-- script is for one particular batch of the name.
local base = KEYS[1]
local now_us, birth = string.match(ARGV[1], '^(%d*)/?(%d*)$')
now_us = tonumber(now_us)
if not now_us then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
end
local now_ms = math.floor(now_us / 1000)
local function text(number) return string.format('%.0f', number) end
local kind = redis.call('TYPE', base).ok
if kind ~= 'hash' and kind ~= 'none' then return {'other type'} end
local head = {}
if kind == 'hash' then head = redis.call('HMGET', base, 'plan', 'born', 'token', 'withdrawn') end
-- The batch's birth token, and the last token it issued.
local plan, born, last_token = head[1], tonumber(head[2] or '0'), tonumber(head[3] or '0')
if kind == 'hash' and not plan then return {'other type'} end
if not plan or (birth ~= '' and tonumber(birth) ~= born) then return {'missing'} end
plan = cjson.decode(plan)
local stages = #plan.stages
local function field(name) return tonumber(redis.call('HGET', base, name) or '0') end
local function is_root(stage) return #plan.stages[stage + 1].after == 0 end
local function add(name, by) return redis.call('HINCRBY', base, name, by) end
local function at(stage, ordinal) return ordinal * stages + stage end
local function is_set(bits, stage, ordinal)
  return redis.call('GETBIT', base .. bits, at(stage, ordinal)) == 1
end
-- Reads or changes many small numbers of a bitmap with BITFIELD, in parts, because Lua's unpack fails at some
-- thousands of values.
local function many(bits, verb, width, places, value)
  local answers = {}
  for from = 1, #places, 500 do
    local command = {'OVERFLOW', 'SAT'}
    for i = from, math.min(from + 499, #places) do
      local n = #command
      command[n + 1], command[n + 2], command[n + 3], command[n + 4] = verb, width, places[i], value
    end
    local part = redis.call('BITFIELD', base .. bits, unpack(command))
    for i = 1, #part do answers[#answers + 1] = part[i] end
  end
  return answers
end
-- The bit offsets of documents, as text: every command that takes a number converts it to text again, as a double,
-- which costs more than the command.
local function places_of(stage, ordinals)
  local places, format = {}, string.format
  for i = 1, #ordinals do places[i] = format('%d', ordinals[i] * stages + stage) end
  return places
end
local function marked(places)
  local all = {}
  for i = 1, #places do all[i] = '#' .. places[i] end
  return all
end
local function next_token()
  last_token = math.max(last_token + 1, now_us)
  redis.call('HSET', base, 'token', text(last_token))
  return text(last_token)
end
-- Whether a claim's token was issued by this batch, and not by an earlier one of its name.
local function gave(token)
  token = tonumber(token)
  return born < token and token <= last_token
end
-- Increments a number in :tries or :lost, and returns it.
local function count(counts, stage, ordinal)
  local place = '#' .. at(stage, ordinal)
  return redis.call('BITFIELD', base .. counts, 'OVERFLOW', 'SAT', 'INCRBY', 'u4', place, 1)[1]
end
-- The number of each document; empty if there are none.
local function counts_of(counts, stage, ordinals)
  if redis.call('EXISTS', base .. counts) == 0 then return {} end
  return many(counts, 'GET', 'u4', marked(places_of(stage, ordinals)))
end
-- The entries of documents; neighbouring ones are read together.
local function entries_of(ordinals)
  local entries, from, floor = {}, 1, math.floor
  while from <= #ordinals do
    local chunk, to = floor(ordinals[from] / 100), from
    local first, last = ordinals[from], ordinals[from]
    while to < #ordinals and floor(ordinals[to + 1] / 100) == chunk do
      to = to + 1
      if ordinals[to] < first then first = ordinals[to] end
      if ordinals[to] > last then last = ordinals[to] end
    end
    local page = redis.call('LRANGE', base .. ':e:' .. chunk, first % 100, last % 100)
    for i = from, to do entries[i] = page[ordinals[i] - first + 1] end
    from = to + 1
  end
  return entries
end
