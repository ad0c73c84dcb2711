-- Requests that hand something out, so that what an answer that got lost has handed out can be handed back.
-- A claimant, one store of one process, keeps a hash of its own beside what it claims of: the number of a
-- slot to 'number:what' of the slot's last request. What it was handed is '' once that was withdrawn.
-- So that a claim need not look there, the field 'withdrawn' of what is claimed of says until which millisecond
-- there may be a request that was withdrawn and comes late.
local ASKED_LIVES = 86400000
local function asked_last(key, slot)
  local noted = redis.call('HGET', key, slot)
  if not noted then return 0, '' end
  local number, what = string.match(noted, '^(%d+):(.*)$')
  return tonumber(number), what
end
local function was_withdrawn(until_ms, now_ms, key, slot, number)
  return until_ms and now_ms < tonumber(until_ms) and asked_last(key, slot) >= number
end
local function note_asked(key, slot, number, what)
  local is_new = redis.call('HSET', key, slot, number .. ':' .. what) == 1
  -- A day after its last request a claimant is gone; not every request needs to say so.
  if is_new or number % 256 == 0 then redis.call('PEXPIRE', key, ASKED_LIVES) end
end
-- Notes that nobody waits for a request any more; what it was handed, '' if nothing. One that the server has
-- not executed yet is refused when it comes.
local function withdraw(of, now_ms, key, slot, number)
  local last, what = asked_last(key, slot)
  if last > number then return '' end
  note_asked(key, slot, number, '')
  redis.call('HSET', of, 'withdrawn', string.format('%.0f', now_ms + ASKED_LIVES))
  return last == number and what or ''
end
