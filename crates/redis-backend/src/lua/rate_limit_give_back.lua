-- Takes back an acquisition whose caller is gone, as if it had never been: its permits are subtracted from the totals
-- of later members. If it has not been executed yet, it is recorded and will take nothing. ARGV: attempt, how long
-- such a record is kept in milliseconds. Returns 1 if permits were given back. The layout of members is described in
-- rate_limit.lua.
local key, WRAP, LOOK, NOTES = KEYS[1], 9e15, 1000, 64
local sub = string.sub
local front = redis.call('ZRANGE', key, 0, 0)[1]
local ahead, kept, taken_back = '0', '0', ''
if front then
  ahead, kept, taken_back = string.match(front, '^(%d+):(%d+):(.*)$')
  -- Another program's sorted set: the attempt will be refused because of it, and takes nothing.
  if not ahead then return 0 end
end
local recent = redis.call('ZREVRANGE', key, 0, LOOK - 1)
for found, member in ipairs(recent) do
  if member ~= front and sub(member, 30, 45) == ARGV[1] then
    local took = tonumber(sub(member, 46))
    redis.call('ZREM', key, member)
    for i = found - 1, 1, -1 do
      local total = (sub(recent[i], 1, 16) - took) % WRAP
      redis.call('ZREM', key, recent[i])
      redis.call('ZADD', key, sub(recent[i], 17, 29),
        string.format('%016.0f', total) .. sub(recent[i], 17))
    end
    if taken_back == '' and redis.call('ZCARD', key) == 1 then redis.call('UNLINK', key) end
    return 1
  end
end
taken_back = sub(ARGV[1] .. ',' .. taken_back, 1, NOTES * (#ARGV[1] + 1))
-- Added before the old one goes, as in rate_limit.lua.
local new_front = ahead .. ':' .. kept .. ':' .. taken_back
redis.call('ZADD', key, -1, new_front)
if front and front ~= new_front then redis.call('ZREM', key, front) end
if redis.call('PTTL', key) < tonumber(ARGV[2]) then redis.call('PEXPIRE', key, ARGV[2]) end
return 0
