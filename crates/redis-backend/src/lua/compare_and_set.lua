-- Arguments: '1' if a value is expected, that value; '1' if there is a replacement, that value; rule, milliseconds.
-- Returns for each key 1 if the value was as expected and was replaced, else 0.
return for_each(function(key, offset)
  local is_expected, expected, is_replaced, value, rule, millis = unpack(ARGV, offset + 1, offset + 6)
  local now = redis.call('GET', key)
  if is_expected == '1' then
    if now ~= expected then return 0 end
  elseif now then
    return 0
  end
  if is_replaced ~= '1' then
    redis.call('DEL', key)
  elseif rule == 'set' then
    redis.call('SET', key, value, 'PX', millis)
  elseif rule == 'clear' then
    redis.call('SET', key, value)
  elseif now or millis == '' then
    redis.call('SET', key, value, 'KEEPTTL')
  else
    redis.call('SET', key, value, 'PX', millis)
  end
  return 1
end)
