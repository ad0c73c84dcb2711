-- Evicts until no more than ARGV[1] keys are left. Then name and highest rank by turns; a key with a
-- higher rank was used since and stays. The names are not KEYS: a database that moves brings what
-- stands there from its old place.
-- Returns the keys that are left in the database, then for each name 1 if it was evicted, 0 if it
-- was gone, -1 if it was used since, -2 if there was no need.
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
