-- ARGV[2]: lease in milliseconds, [3…]: claims. Returns for each 1 if it still counts, else 0.
local claims, answers, renewed, ends = {}, {}, {}, whole(now + ARGV[2])
for i = 3, #ARGV do claims[i - 2] = ARGV[i] end
for i, counts in ipairs(ask_many('ZMSCORE', leases, claims)) do
  answers[i] = counts and 1 or 0
  if counts then
    renewed[#renewed + 1] = ends
    renewed[#renewed + 1] = claims[i]
  end
end
call_many('ZADD', leases, renewed)
return answers
