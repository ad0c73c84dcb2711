-- Sliding window: a sorted set with one member for each acquisition, so that the cost does not depend on the number
-- of permits. A member is the total of all permits given up to its end (16 digits), its time in milliseconds (13
-- digits; also its score, but reading a score costs as much as a command), the attempt's name (16) and the number of
-- its permits. A first member of score -1 has how far the log's time is ahead of the clock, the longest window used
-- so far, and the names of attempts that were taken back before they arrived.
--
-- The log's time never goes back: if the clock does, it continues from its last entry. So members are in order of
-- both time and total, sums are differences of totals, and no permit is missing for longer than its window.
--
-- ARGV: limit, window in milliseconds, permits, time in microseconds or '', attempt.
-- Returns {1, remaining, 0} or {0, remaining, milliseconds until this acquisition would be allowed}.
local key, WRAP, PAGE = KEYS[1], 9e15, 1000
local limit, window, permits = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local format, sub = string.format, string.sub
local function whole(number) return format('%.0f', number) end
local now_us = tonumber(ARGV[4])
if not now_us then
  local time = redis.call('TIME')
  now_us = time[1] * 1000000 + time[2]
end
local now = math.floor(now_us / 1000)

local first = redis.call('ZRANGE', key, 0, 1)
local ahead, kept, taken_back, old_front, old_ahead, old_kept = 0, window, '', nil, nil, nil
if first[1] then
  old_front = first[1]
  if old_front == '0:' .. ARGV[2] .. ':' then
    -- The usual case.
    old_ahead, old_kept = 0, window
  else
    ahead, kept, taken_back = string.match(old_front, '^(%d+):(%d+):(.*)$')
    if not ahead then return redis.error_reply('WRONGTYPE the sorted set is not a limit') end
    ahead, kept = tonumber(ahead), tonumber(kept)
    old_ahead, old_kept = ahead, kept
    if kept < window then kept = window end
  end
end
local last, last_at, total = nil, nil, 0
local oldest, oldest_at = first[2], nil
if oldest then
  last = redis.call('ZRANGE', key, -1, -1)[1]
  last_at, total = tonumber(sub(last, 17, 29)), tonumber(sub(last, 1, 16))
  oldest_at = tonumber(sub(oldest, 17, 29))
end
if last_at and last_at > now + ahead then ahead = last_at - now end
local at = now + ahead

-- The rank of the oldest entry in the window, and the total before it.
local edge, rank, before = at - window, nil, total
if last_at and last_at > edge then
  if oldest_at > edge then
    rank = 1
  else
    oldest = redis.call('ZRANGEBYSCORE', key, '(' .. whole(edge), '+inf', 'LIMIT', 0, 1)[1]
  end
  before = (sub(oldest, 1, 16) - sub(oldest, 46)) % WRAP
  rank = rank or redis.call('ZRANK', key, oldest)
end
local used = (total - before) % WRAP
local remaining = math.max(limit - used, 0)
-- Every answer records the log's time and the longest window. Otherwise a caller that is refused repeatedly after the
-- clock was set back would see no time pass until the clock has caught up.
local function note_front()
  -- Added before the old one goes: a set that was empty in between would be gone, and with it the script's right to
  -- it where the slot moves to another node.
  redis.call('ZADD', key, -1, whole(ahead) .. ':' .. whole(kept) .. ':' .. taken_back)
  if old_front then redis.call('ZREM', key, old_front) end
  old_ahead, old_kept = ahead, kept
end
if old_front and (ahead ~= old_ahead or kept ~= old_kept) then
  -- Keep the entries for the longer window, counted from the youngest.
  if kept ~= old_kept and last_at and last_at + kept > at then
    redis.call('PEXPIRE', key, whole(last_at + kept - at))
  end
  note_front()
end
if permits == 0 then return {1, remaining, '0'} end
if taken_back ~= '' and string.find(taken_back, ARGV[5], 1, true) then return {0, remaining, '0'} end


if used + permits > limit then
  -- Finds the first entry whose return makes room for all requested permits, by binary search, since entries are in
  -- order of their totals.
  local most = limit - permits
  local low, high = rank, redis.call('ZCARD', key) - 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local upto = sub(redis.call('ZRANGE', key, middle, middle)[1], 1, 16)
    if (total - upto) % WRAP <= most then high = middle else low = middle + 1 end
  end
  local back = sub(redis.call('ZRANGE', key, low, low)[1], 17, 29)
  return {0, remaining, whole(back + window - at)}
end
-- Removes entries that no window needs, a limited number at a time so that no call is slow.
if oldest_at and oldest_at <= at - kept then
  local past = redis.call('ZCOUNT', key, 0, whole(at - kept))
  redis.call('ZREMRANGEBYRANK', key, 1, math.min(past, PAGE))
end
total = total + permits
if total >= WRAP then
  -- Totals start again at 0, in a new millisecond, because members of one millisecond sort by total.
  total = total - WRAP
  if last_at == at then at, ahead = at + 1, ahead + 1 end
end
redis.call('ZADD', key, whole(at), format('%016.0f%013.0f', total, at) .. ARGV[5] .. ARGV[3])
if ahead ~= old_ahead or kept ~= old_kept then note_front() end
redis.call('PEXPIRE', key, kept == window and ARGV[2] or whole(kept))
return {1, limit - used - permits, '0'}
