-- ARGV[2]: lease in milliseconds, [3…]: claims. Returns for each 1 if it still counts, else 0.
local counting, answers = standing(3, false)
local claims, ends = {}, whole(now + ARGV[2])
for _, claim in ipairs(counting) do
  claims[#claims + 1] = ends
  claims[#claims + 1] = claim
end
call_many('ZADD', leases, claims)
return answers
