-- Then: slot, and the number of its request. Hands back what the request was handed, and refuses it if it has
-- not come yet. Returns how many tasks were handed back.
local what = withdraw(meta, now, asked, ARGV[2], tonumber(ARGV[3]))
if what == '' then return 0 end
local token, ends, claims = string.sub(what, 1, 16), string.sub(what, 17), {}
-- Nobody has renewed them, as nobody knows of them.
for _, claim in ipairs(redis.call('ZRANGEBYSCORE', leases, ends, ends)) do
  if string.sub(claim, 17) == token then claims[#claims + 1] = claim end
end
give_back(claims)
return #claims
