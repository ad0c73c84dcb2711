-- Sliding window: a sorted set with one member an acquisition, so that no answer depends on how many
-- permits it took. A member is all permits ever given up to its end (16 digits), its time in milliseconds (13,
-- its score too: a score that is read back costs as much as a command), the attempt's name (16) and how many
-- it took. One member of score -1 stands in front: how far
-- the log's time is ahead of the clock, the longest window that anybody asked with, and the names of
-- attempts that were taken back before they came.
--
-- The log's time never goes back: when the clock does, it goes on from its last entry. So members are in
-- order of time and total both, sums are differences of totals, and no permit stays away for longer than
-- its window.
--
-- ARGV: limit, window in milliseconds, permits, time in microseconds or '', attempt.
-- Returns {1, remaining, 0} or {0, remaining, milliseconds until the same would be allowed}.
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
    -- As it is as a rule.
    old_ahead, old_kept = 0, window
  else
    ahead, kept, taken_back = string.match(old_front, '^(%d+):(%d+):(.*)$')
    if not ahead then return redis.error_reply('WRONGTYPE the sorted set is no limit') end
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

-- The rank of the oldest entry that the window holds, and what had been given before it.
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
-- Every answer keeps the log's time going, and the longest window: refused again and again after the clock
-- was set back, a caller would otherwise stand at one moment for as long as it was set back.
local function note_front()
  if old_front then redis.call('ZREM', key, old_front) end
  redis.call('ZADD', key, -1, whole(ahead) .. ':' .. whole(kept) .. ':' .. taken_back)
  old_ahead, old_kept = ahead, kept
end
if old_front and (ahead ~= old_ahead or kept ~= old_kept) then
  -- What is there is kept for the longer window, from its youngest entry on.
  if kept ~= old_kept and last_at and last_at + kept > at then
    redis.call('PEXPIRE', key, whole(last_at + kept - at))
  end
  note_front()
end
if permits == 0 then return {1, remaining, '0'} end
if taken_back ~= '' and string.find(taken_back, ARGV[5], 1, true) then return {0, remaining, '0'} end


if used + permits > limit then
  -- The first entry with whose return there is room for all that are asked for: entries are in order of
  -- their totals, so it is searched by halves.
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
-- What no window holds any more goes, so many at a time that no answer is slow.
if oldest_at and oldest_at <= at - kept then
  local past = redis.call('ZCOUNT', key, 0, whole(at - kept))
  redis.call('ZREMRANGEBYRANK', key, 1, math.min(past, PAGE))
end
total = total + permits
if total >= WRAP then
  -- Totals begin anew, at a moment of their own: members of one moment sort by their totals.
  total = total - WRAP
  if last_at == at then at, ahead = at + 1, ahead + 1 end
end
redis.call('ZADD', key, whole(at), format('%016.0f%013.0f', total, at) .. ARGV[5] .. ARGV[3])
if ahead ~= old_ahead or kept ~= old_kept then note_front() end
redis.call('PEXPIRE', key, kept == window and ARGV[2] or whole(kept))
return {1, limit - used - permits, '0'}
