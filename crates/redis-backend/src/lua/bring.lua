-- Moves the marked KEYS from the database's previous place, if they are still there, before the request that follows
-- in this script. ARGV: index and previous index, prefix and previous prefix, a mark for each key ('1' or '0'), then
-- the request's own arguments. If a key is in both places, it has been written to the new one since, and the old one
-- is outdated. A refused command ends the script, and the request with it.
local index, old_index, prefix, old_prefix, marks = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local brought = 0
for at, name in ipairs(KEYS) do
  if string.sub(marks, at, at) == '1' then
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
          -- Delete a key that does not exist first: if deleting is refused, the script ends here, before COPY makes
          -- two keys.
          redis.call('UNLINK', old_name .. ':compartment:none')
          redis.call('COPY', old_name, name, 'DB', index)
          redis.call('UNLINK', old_name)
        end
      end
    end
  end
end
redis.call('SELECT', index)
local own = {}
for at = 6, #ARGV do own[at - 5] = ARGV[at] end
local ARGV = own
