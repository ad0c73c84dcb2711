-- Takes back an acquisition whose caller has gone, as if it had never been: those after it give its
-- permits back from their totals. Where it has not come yet, it is noted, and takes nothing when it comes.
-- ARGV: attempt, how long such a note is kept in milliseconds. Returns 1 if permits were given back.
local key, WRAP, LOOK, NOTES = KEYS[1], 9e15, 1000, 64
local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
-- Somebody else's sorted set: the attempt finds it so when it comes, and takes nothing.
if head[1] and (head[2] ~= '-1' or not string.match(head[1], '^%d+:%d+:')) then return 0 end
local recent = redis.call('ZREVRANGE', key, 0, LOOK - 1, 'WITHSCORES')
local found
for i = 1, #recent, 2 do
  if recent[i + 1] ~= '-1' and string.match(recent[i], '([^:]*)$') == ARGV[1] then
    found = i
    break
  end
end
if found then
  local took = tonumber(string.match(recent[found], '^%d+:(%d+):'))
  redis.call('ZREM', key, recent[found])
  for i = found - 2, 1, -2 do
    local upto, rest = string.match(recent[i], '^(%d+)(:.*)$')
    redis.call('ZREM', key, recent[i])
    redis.call('ZADD', key, recent[i + 1], string.format('%016.0f', (upto - took) % WRAP) .. rest)
  end
  local front = redis.call('ZRANGE', key, 0, 0)[1]
  if redis.call('ZCARD', key) == 1 and string.match(front, ':$') then redis.call('UNLINK', key) end
  return 1
end
local ahead, kept, taken_back = '0', '0', ''
if head[1] then
  ahead, kept, taken_back = string.match(head[1], '^(%d+):(%d+):(.*)$')
  redis.call('ZREM', key, head[1])
end
taken_back = string.sub(ARGV[1] .. ',' .. taken_back, 1, NOTES * (#ARGV[1] + 1))
redis.call('ZADD', key, -1, ahead .. ':' .. kept .. ':' .. taken_back)
if redis.call('PTTL', key) < tonumber(ARGV[2]) then redis.call('PEXPIRE', key, ARGV[2]) end
return 0
