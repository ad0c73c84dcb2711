-- Sliding window: a sorted set with one member for each acquisition, so that the cost does not depend on the number
-- of permits. A member is the total of all permits given up to its end (16 digits), its time in milliseconds (13
-- digits; also its score, but reading a score costs as much as a command), the attempt's name (16) and the number of
-- its permits. A first member of score -1 has how far the log's time is ahead of the clock, the longest window used
-- so far, and the names of attempts that were taken back before they arrived.
--
-- The log's time never goes back: if the clock does, it continues from its last entry. So members are in order of
-- both time and total, sums are differences of totals, and no permit is missing for longer than its window.
--
-- Acquisitions of one key that come together read its log once and are added to it at once.
--
-- Arguments: limit, window in milliseconds, permits, time in microseconds or '', attempt.
-- Returns for each {1, remaining, 0} or {0, remaining, milliseconds until this acquisition would be allowed}.
local WRAP, PAGE = 9e15, 1000
local format, sub, floor, max = string.format, string.sub, math.floor, math.max
local MEMBER = WHOLE == '%d' and '%016d%013d' or '%016.0f%013.0f'

-- The logs that were read, by key.
local logs = {}
-- How many entries may still be removed: a limited number in one call, so that none is slow.
local removable = PAGE

local function read(key, window_text, now)
  local first = redis.call('ZRANGE', key, 0, 1)
  local front, oldest = first[1], first[2]
  local ahead, kept, taken_back = 0, 0, ''
  if front == '0:' .. window_text .. ':' then
    -- The usual case.
    kept = tonumber(window_text)
  elseif front then
    ahead, kept, taken_back = string.match(front, '^(%d+):(%d+):(.*)$')
    if not ahead then error({err = 'WRONGTYPE the sorted set is not a limit'}) end
    ahead, kept = tonumber(ahead), tonumber(kept)
  end
  local old_ahead, old_kept = ahead, kept
  local total, last_at, oldest_at = 0, false, false
  if oldest then
    local last = redis.call('ZRANGE', key, -1, -1)[1]
    total, last_at = tonumber(sub(last, 1, 16)), tonumber(sub(last, 17, 29))
    oldest_at = tonumber(sub(oldest, 17, 29))
    if last_at > now + ahead then ahead = last_at - now end
  end
  return {
    key = key, now = now, at = now + ahead, front = front or false, taken_back = taken_back,
    ahead = ahead, kept = kept, old_ahead = old_ahead, old_kept = old_kept,
    oldest = oldest or false, oldest_at = oldest_at,
    -- As read, and with what was added.
    read_total = total, read_at = last_at, total = total, last_at = last_at,
    -- Entries of no later time are to be removed.
    past = -1,
    -- The last window that was looked at: its beginning, the total before it, its oldest entry that is stored.
    edge = false, total_before = 0, inside = false,
    -- Scores and members to add, and the indices of the answers that they are for.
    new = {}, granted = {},
  }
end

-- Writes what was added to a log, and forgets the log.
local function write(log)
  local key, kept, new = log.key, log.kept, log.new
  logs[key] = nil
  local is_front_new = not log.front or log.ahead ~= log.old_ahead or kept ~= log.old_kept
  if #new == 0 and not (log.front and is_front_new) then return end
  -- Removes entries that no window needs.
  if removable > 0 and log.oldest_at and log.oldest_at <= log.past then
    local past = math.min(redis.call('ZCOUNT', key, 0, whole(log.past)), removable)
    redis.call('ZREMRANGEBYRANK', key, 1, past)
    removable = removable - past
  end
  if is_front_new then
    -- Every answer records the log's time and the longest window. Otherwise a caller that is refused repeatedly after
    -- the clock was set back would see no time pass until the clock has caught up.
    local front = whole(log.ahead) .. ':' .. whole(kept) .. ':' .. log.taken_back
    new[#new + 1], new[#new + 2] = '-1', front
  end
  redis.call('ZADD', key, unpack(new))
  -- The old front goes after the new one was added: a set that was empty in between would be gone, and with it the
  -- script's right to it where the slot moves to another node.
  if is_front_new and log.front then redis.call('ZREM', key, log.front) end
  if #log.granted > 0 then
    redis.call('PEXPIRE', key, whole(kept))
  elseif kept ~= log.old_kept and log.last_at and log.last_at + kept > log.at then
    -- Keeps the entries for the longer window, counted from the youngest.
    redis.call('PEXPIRE', key, whole(log.last_at + kept - log.at))
  end
end

-- An error of a write is an error of all whose permits it has.
local function write_or_raise(log)
  local is_done, failed = pcall(write, log)
  if is_done then return end
  for _, i in ipairs(log.granted) do answers[i] = as_reply(failed) end
  error(failed)
end

-- The log of a key at the caller's time, without what was added if `is_stored`.
local function log_at(key, window_text, now, is_stored)
  local log = logs[key]
  if log and log.now == now and not (is_stored and #log.granted > 0) then return log end
  if log then write_or_raise(log) end
  log = read(key, window_text, now)
  logs[key] = log
  return log
end

-- Finds where the window begins.
local function look_at(log, window)
  local edge = log.at - window
  if log.edge == edge then return end
  local total, inside = log.read_total, false
  if log.read_at and log.read_at > edge then
    inside = log.oldest
    if log.oldest_at <= edge then
      local after = '(' .. whole(edge)
      inside = redis.call('ZRANGEBYSCORE', log.key, after, '+inf', 'LIMIT', 0, 1)[1]
    end
    total = (sub(inside, 1, 16) - sub(inside, 46)) % WRAP
  end
  log.edge, log.total_before, log.inside, log.back = edge, total, inside, nil
end

-- When the first entry leaves whose return makes room for all requested permits, by binary search, since entries are
-- in order of their totals. Callers that come together often ask for equally many.
local function time_of_return(log, most)
  if log.back and log.back_most == most then return log.back end
  local key, total = log.key, log.total
  local low, high = redis.call('ZRANK', key, log.inside), redis.call('ZCARD', key) - 1
  while low < high do
    local middle = floor((low + high) / 2)
    local upto = sub(redis.call('ZRANGE', key, middle, middle)[1], 1, 16)
    if (total - upto) % WRAP <= most then high = middle else low = middle + 1 end
  end
  log.back_most, log.back = most, sub(redis.call('ZRANGE', key, low, low)[1], 17, 29)
  return log.back
end

for_each(function(key, offset, i)
  local window_text, attempt = ARGV[offset + 2], ARGV[offset + 5]
  local limit, window = tonumber(ARGV[offset + 1]), tonumber(window_text)
  local permits = tonumber(ARGV[offset + 3])
  local now = floor(time_us(ARGV[offset + 4]) / 1000)
  local log = log_at(key, window_text, now)
  -- A longer window may hold entries that are about to be removed.
  if log.past > log.at - window then log = log_at(key, window_text, now, true) end
  -- A look at a log that does not exist leaves nothing.
  if log.kept < window and (permits > 0 or log.front or #log.granted > 0) then log.kept = window end
  look_at(log, window)
  local used = (log.total - log.total_before) % WRAP
  local remaining = max(limit - used, 0)
  if permits == 0 then return {1, remaining, '0'} end
  if log.taken_back ~= '' and string.find(log.taken_back, attempt, 1, true) then
    return {0, remaining, '0'}
  end
  if used + permits > limit then
    -- The search is in the log that is stored.
    log = log_at(key, window_text, now, true)
    look_at(log, window)
    return {0, remaining, whole(time_of_return(log, limit - permits) + window - log.at)}
  end
  if log.total + permits >= WRAP then log = log_at(key, window_text, now, true) end
  log.total, log.back = log.total + permits, nil
  if log.total >= WRAP then
    -- Totals start again at 0, in a new millisecond, because members of one millisecond sort by total.
    log.total = log.total - WRAP
    if log.last_at == log.at then log.at, log.ahead, log.edge = log.at + 1, log.ahead + 1, false end
  end
  log.last_at, log.past = log.at, max(log.past, log.at - log.kept)
  local new, at, count = log.new, log.at, #log.new
  new[count + 1] = whole(at)
  new[count + 2] = format(MEMBER, log.total, at) .. attempt .. ARGV[offset + 3]
  log.granted[#log.granted + 1] = i
  return {1, limit - used - permits, '0'}
end)
for _, log in pairs(logs) do pcall(write_or_raise, log) end
return answers
