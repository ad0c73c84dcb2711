-- Copies KEYS[i] to database ARGV[i] as ARGV[n + i] and removes it here. One script, so that no write
-- falls in between. Returns for each key 1 if it was copied, and 0 if it is missing or the name exists
-- there. An error (out of memory) leaves that key and the remaining ones unchanged.
local done, n = {}, #KEYS
for i = 1, n do
  done[i] = redis.call('COPY', KEYS[i], ARGV[n + i], 'DB', ARGV[i])
  if done[i] == 1 then redis.call('UNLINK', KEYS[i]) end
end
return done
