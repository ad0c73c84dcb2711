-- Copies KEYS[i] to database ARGV[i] as ARGV[n + i] and removes it here, in one step, so that no
-- write falls in between. For each: 1 when it did, 0 when there is nothing to copy or something in
-- the way. An error (out of memory) leaves that key and the rest as they were.
local done, n = {}, #KEYS
for i = 1, n do
  done[i] = redis.call('COPY', KEYS[i], ARGV[n + i], 'DB', ARGV[i])
  if done[i] == 1 then redis.call('UNLINK', KEYS[i]) end
end
return done
