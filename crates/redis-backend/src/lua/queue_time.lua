-- The time of a script of a queue, in microseconds and in milliseconds.
local time = tonumber(ARGV[1])
if not time then
  local parts = redis.call('TIME')
  time = parts[1] * 1000000 + parts[2]
end
local now = math.floor(time / 1000)
