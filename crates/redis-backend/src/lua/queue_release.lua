-- ARGV[2…]: claims. Returns for each 1 if it still counted, else 0; a repeated claim counts once.
local answers, counting = {}, {}
for i = 2, #ARGV do
  local counted = redis.call('ZREM', leases, ARGV[i])
  answers[i - 1] = counted
  if counted == 1 then counting[#counting + 1] = ARGV[i] end
end
give_back(counting)
return answers
