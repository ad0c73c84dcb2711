-- Evicts until no more than ARGV[1] keys are left. Then name and highest rank by turns; a key with a
-- higher rank was used since and stays. The names are not KEYS: a database that moves brings what
-- stands there from its old place.
-- Returns the keys that are left in the database, then for each name the bytes it took, 0 if it
-- was gone, -1 if it was used since, -2 if there was no need.
local enough, left, answer = tonumber(ARGV[1]), redis.call('DBSIZE'), {0}
for i = 2, #ARGV, 2 do
  local taken = -2
  if left > enough then
    local bytes = redis.call('MEMORY', 'USAGE', ARGV[i])
    local rank = bytes and rank_of(ARGV[i])
    if not rank then
      taken = 0
    elseif rank > tonumber(ARGV[i + 1]) then
      taken = -1
    else
      left, taken = left - redis.call('UNLINK', ARGV[i]), bytes
    end
  end
  answer[#answer + 1] = taken
end
answer[1] = left
return answer
