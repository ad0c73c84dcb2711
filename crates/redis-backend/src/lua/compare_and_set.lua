-- ARGV: '1' if a value is expected, that value; '1' if there is a replacement, that value; rule, milliseconds.
-- Returns 1 if the value was as expected and was replaced, else 0.
local now = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if now ~= ARGV[2] then return 0 end
elseif now then
  return 0
end
if ARGV[3] ~= '1' then
  redis.call('DEL', KEYS[1])
elseif ARGV[5] == 'set' then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[6])
elseif ARGV[5] == 'clear' then
  redis.call('SET', KEYS[1], ARGV[4])
elseif now or ARGV[6] == '' then
  redis.call('SET', KEYS[1], ARGV[4], 'KEEPTTL')
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[6])
end
return 1
