-- ARGV[2]: 'read' with [3]: maximum number; 'clear' with [3…]: ids; or 'count'.
-- Returns {'ok', id, fields, id, …} or {'ok', number}.
local key = base .. ':outbox'
if ARGV[2] == 'count' then return {'ok', redis.call('XLEN', key)} end
if ARGV[2] == 'clear' then
  if #ARGV == 2 then return {'ok', 0} end
  return {'ok', redis.call('XDEL', key, unpack(ARGV, 3))}
end
local answer = {'ok'}
if ARGV[3] == '0' then return answer end
for _, entry in ipairs(redis.call('XRANGE', key, '-', '+', 'COUNT', ARGV[3])) do
  answer[#answer + 1], answer[#answer + 2] = entry[1], entry[2]
end
return answer
