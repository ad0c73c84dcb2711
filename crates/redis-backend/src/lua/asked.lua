-- Named requests for claims, so that a claim whose answer was lost can be handed back. A claimant, which is one store
-- of one process, has its own hash beside the keys it claims from: slot number to 'number:what' of the last request
-- in that slot. 'what' is what the request was handed; it becomes '' when the request is withdrawn. The field
-- 'withdrawn' of the batch or queue is the millisecond until which a withdrawn request may still arrive, so that most
-- claims need not read the claimant's hash.
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
  -- The hash expires a day after the claimant's last request; the TTL is not renewed by every request.
  if is_new or number % 256 == 0 then redis.call('PEXPIRE', key, ASKED_LIVES) end
end
-- Withdraws a request that nobody waits for. Returns what it was handed, or ''. If it has not been executed yet, it
-- will be refused when it arrives.
local function withdraw(of, now_ms, key, slot, number)
  local last, what = asked_last(key, slot)
  if last > number then return '' end
  note_asked(key, slot, number, '')
  redis.call('HSET', of, 'withdrawn', string.format('%.0f', now_ms + ASKED_LIVES))
  return last == number and what or ''
end
