-- Brings each of KEYS from the database's previous place, if it is there still, in the step of the
-- request that follows. ARGV: index and previous index, prefix and previous prefix. A key that is in
-- both has been written to the new place since: the old one is outdated. Answers how many there were.
local index, old_index, prefix, old_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local brought = 0
for _, name in ipairs(KEYS) do
  local old_name = old_prefix .. string.sub(name, #prefix + 1)
  redis.call('SELECT', old_index)
  if redis.call('EXISTS', old_name) == 1 then
    brought = brought + 1
    if old_name == name then
      if redis.call('MOVE', name, index) == 0 then redis.call('UNLINK', name) end
    else
      redis.call('SELECT', index)
      local taken = redis.call('EXISTS', name) == 1
      redis.call('SELECT', old_index)
      if taken then
        redis.call('UNLINK', old_name)
      elseif index == old_index then
        redis.call('RENAME', old_name, name)
      else
        redis.call('COPY', old_name, name, 'DB', index)
        redis.call('UNLINK', old_name)
      end
    end
  end
end
redis.call('SELECT', index)
return brought
