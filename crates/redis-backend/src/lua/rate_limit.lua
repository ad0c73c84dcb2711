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
local function whole(number) return format('%d', number) end

-- The logs that were read, by key. They have entries of one time, `at`.
local logs = {}

local function read(key, window_text)
  local first = redis.call('ZRANGE', key, 0, 1)
  local front, oldest = first[1], first[2]
  local log = {key = key, front = front, ahead = 0, kept = 0, taken_back = '', total = 0,
    before = {}, back = {}, new = {}, granted = {}}
  if front == '0:' .. window_text .. ':' then
    -- The usual case.
    log.kept = tonumber(window_text)
  elseif front then
    local ahead, kept, taken_back = string.match(front, '^(%d+):(%d+):(.*)$')
    if not ahead then error({err = 'WRONGTYPE the sorted set is not a limit'}) end
    log.ahead, log.kept, log.taken_back = tonumber(ahead), tonumber(kept), taken_back
  end
  if front then log.old_ahead, log.old_kept = log.ahead, log.kept end
  if oldest then
    local last = redis.call('ZRANGE', key, -1, -1)[1]
    log.total, log.last_at = tonumber(sub(last, 1, 16)), tonumber(sub(last, 17, 29))
    log.oldest, log.oldest_at = oldest, tonumber(sub(oldest, 17, 29))
  end
  log.read_total, log.read_at = log.total, log.last_at
  return log
end

-- Writes what was added to a log, and forgets the log.
local function write(log)
  local key, at, kept = log.key, log.at, log.kept
  logs[key] = nil
  local is_front_new = log.ahead ~= log.old_ahead or kept ~= log.old_kept
  if #log.new == 0 and not (log.front and is_front_new) then return end
  -- Removes entries that no window needs, a limited number at a time so that no call is slow.
  if log.oldest_at and log.oldest_at <= log.past then
    local past = redis.call('ZCOUNT', key, 0, whole(log.past))
    redis.call('ZREMRANGEBYRANK', key, 1, math.min(past, PAGE))
  end
  if is_front_new then
    -- Every answer records the log's time and the longest window. Otherwise a caller that is refused repeatedly after
    -- the clock was set back would see no time pass until the clock has caught up.
    local front = whole(log.ahead) .. ':' .. whole(kept) .. ':' .. log.taken_back
    log.new[#log.new + 1], log.new[#log.new + 2] = '-1', front
  end
  redis.call('ZADD', key, unpack(log.new))
  -- The old front goes after the new one was added: a set that was empty in between would be gone, and with it the
  -- script's right to it where the slot moves to another node.
  if is_front_new and log.front then redis.call('ZREM', key, log.front) end
  if #log.granted > 0 then
    redis.call('PEXPIRE', key, whole(kept))
  elseif kept ~= log.old_kept and log.last_at and log.last_at + kept > at then
    -- Keeps the entries for the longer window, counted from the youngest.
    redis.call('PEXPIRE', key, whole(log.last_at + kept - at))
  end
end

-- An error of a write is an error of all whose permits it has.
local function write_or_raise(log)
  local is_done, failed = pcall(write, log)
  if is_done then return end
  for _, i in ipairs(log.granted) do answers[i] = as_reply(failed) end
  error(failed)
end

-- The log of a key at the caller's time.
local function log_at(key, window_text, now)
  local log = logs[key]
  if log and log.now == now then return log end
  if log then write_or_raise(log) end
  log = read(key, window_text)
  if log.last_at and log.last_at > now + log.ahead then log.ahead = log.last_at - now end
  -- Entries of no later time than `past` are to be removed.
  log.now, log.at, log.past = now, now + log.ahead, -1
  logs[key] = log
  return log
end

-- The total before the oldest entry in the window, and that entry if it is stored.
local function window_of(log, window)
  local edge = max(log.at - window, log.past)
  local known = log.before[edge]
  if known then return known end
  known = {total = log.read_total}
  if log.read_at and log.read_at > edge then
    known.oldest = log.oldest
    if log.oldest_at <= edge then
      known.oldest =
        redis.call('ZRANGEBYSCORE', log.key, '(' .. whole(edge), '+inf', 'LIMIT', 0, 1)[1]
    end
    known.total = (sub(known.oldest, 1, 16) - sub(known.oldest, 46)) % WRAP
  end
  log.before[edge] = known
  return known
end

-- When the first entry leaves whose return makes room for all requested permits, by binary search, since entries are
-- in order of their totals.
local function time_of_return(log, known, window, most)
  local place = whole(window) .. ':' .. whole(most)
  local back = log.back[place]
  if back then return back end
  local low, high = redis.call('ZRANK', log.key, known.oldest), redis.call('ZCARD', log.key) - 1
  while low < high do
    local middle = floor((low + high) / 2)
    local upto = sub(redis.call('ZRANGE', log.key, middle, middle)[1], 1, 16)
    if (log.total - upto) % WRAP <= most then high = middle else low = middle + 1 end
  end
  back = sub(redis.call('ZRANGE', log.key, low, low)[1], 17, 29) + window
  log.back[place] = back
  return back
end

for_each(function(key, before, i)
  local window_text = ARGV[before + 2]
  local limit, window = tonumber(ARGV[before + 1]), tonumber(window_text)
  local permits, attempt = tonumber(ARGV[before + 3]), ARGV[before + 5]
  local now = floor(time_us(ARGV[before + 4]) / 1000)
  local log = log_at(key, window_text, now)
  -- A look at a log that does not exist leaves nothing.
  if log.kept < window and (permits > 0 or log.front or #log.granted > 0) then log.kept = window end
  local known = window_of(log, window)
  -- Writes what was added, and reads the log again.
  local function again()
    if #log.granted == 0 then return end
    write_or_raise(log)
    log = log_at(key, window_text, now)
    known = window_of(log, window)
  end
  local used = (log.total - known.total) % WRAP
  local remaining = max(limit - used, 0)
  if permits == 0 then return {1, remaining, '0'} end
  if log.taken_back ~= '' and string.find(log.taken_back, attempt, 1, true) then
    return {0, remaining, '0'}
  end
  if used + permits > limit then
    -- The search is in the log that is stored.
    again()
    return {0, remaining, whole(time_of_return(log, known, window, limit - permits) - log.at)}
  end
  if log.total + permits >= WRAP then again() end
  log.total, log.back = log.total + permits, {}
  if log.total >= WRAP then
    -- Totals start again at 0, in a new millisecond, because members of one millisecond sort by total.
    log.total = log.total - WRAP
    if log.last_at == log.at then log.at, log.ahead, log.before = log.at + 1, log.ahead + 1, {} end
  end
  log.last_at, log.past = log.at, max(log.past, log.at - log.kept)
  local at = #log.new
  log.new[at + 1] = whole(log.at)
  log.new[at + 2] = format('%016d%013d', log.total, log.at) .. attempt .. ARGV[before + 3]
  log.granted[#log.granted + 1] = i
  return {1, limit - used - permits, '0'}
end)
for _, log in pairs(logs) do pcall(write_or_raise, log) end
return answers
