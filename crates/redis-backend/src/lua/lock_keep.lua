-- Renews or releases. Arguments: token, lease in milliseconds ('0' to release), retention, time or ''.
-- Returns for each lock 1 if the token holds it and its lease had not expired, else 0.
return for_each(function(key, offset)
  local lease, retention = ARGV[offset + 2], ARGV[offset + 3]
  local held = redis.call('HMGET', key, 'token', 'lease_ends_ms')
  local now_ms = math.floor(time_us(ARGV[offset + 4]) / 1000)
  if held[1] ~= ARGV[offset + 1] or tonumber(held[2] or '0') <= now_ms then return 0 end
  local ends, life = '0', retention
  if lease ~= '0' then ends, life = whole(now_ms + lease), whole(lease + retention) end
  redis.call('HSET', key, 'lease_ends_ms', ends)
  redis.call('PEXPIRE', key, life)
  return 1
end)
