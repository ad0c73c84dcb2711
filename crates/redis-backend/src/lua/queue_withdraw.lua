-- ARGV[2]: slot, [3]: number of its request. Hands back what the request was handed; if it has not been executed yet,
-- it will be refused. Returns how many tasks were handed back.
local what = withdraw(meta, now, asked, ARGV[2], tonumber(ARGV[3]))
if what == '' then return 0 end
local token, ends, claims = string.sub(what, 1, 16), string.sub(what, 17), {}
-- Their leases still end at this time: a claim whose answer was lost cannot be renewed.
for _, claim in ipairs(redis.call('ZRANGEBYSCORE', leases, ends, ends)) do
  if string.sub(claim, 17) == token then claims[#claims + 1] = claim end
end
call_many('ZREM', leases, claims)
give_back(claims)
return #claims
