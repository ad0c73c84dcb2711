-- Evicts keys until at most ARGV[1] are left. The other arguments alternate between a name and its highest rank: a
-- key with a higher rank was used since and stays. The names are not KEYS, because a moving database would bring KEYS
-- from its previous place. Returns the number of keys left in the database, then for each name 1 if it was evicted, 0
-- if it was gone, -1 if it was used since, -2 if no eviction was needed.
local enough, left, answer = tonumber(ARGV[1]), redis.call('DBSIZE'), {0}
for i = 2, #ARGV, 2 do
  local done = -2
  if left > enough then
    local rank = rank_of(ARGV[i])
    if not rank then
      done = 0
    elseif rank > tonumber(ARGV[i + 1]) then
      done = -1
    else
      done = redis.call('UNLINK', ARGV[i])
      left = left - done
    end
  end
  answer[#answer + 1] = done
end
answer[1] = left
return answer
