-- ARGV[2]: maximum number of events, [3]: the id they follow, or ''. Returns {'ok', id, fields, id, …}.
local from = ARGV[3] == '' and '-' or '(' .. ARGV[3]
local answer = {'ok'}
if ARGV[2] == '0' then return answer end
for _, event in ipairs(redis.call('XRANGE', base .. ':events', from, '+', 'COUNT', ARGV[2])) do
  answer[#answer + 1], answer[#answer + 2] = event[1], event[2]
end
return answer
