-- Arguments: owner, lease in milliseconds, retention in milliseconds, time in microseconds or '', attempt.
-- Returns for each lock {1, token} or {0, token, owner, remaining milliseconds}.
return for_each(function(key, offset, i)
  local held = redis.call('HMGET', key, 'token', 'owner', 'lease_ends_ms', 'taken_back')
  if not held[1] and not held[4] and redis.call('EXISTS', key) == 1 then
    return redis.error_reply('WRONGTYPE the hash is not a lock')
  end
  local lease, attempt = ARGV[offset + 2], ARGV[offset + 5]
  local now_us = time_us(ARGV[offset + 4])
  local now_ms = math.floor(now_us / 1000)
  local ends = tonumber(held[3] or '0')
  if ends > now_ms then return {0, held[1], held[2], whole(ends - now_ms)} end
  -- The attempt was taken back before it arrived: its caller is gone.
  if held[4] and string.find(held[4], attempt, 1, true) then
    return {0, held[1] or '0', held[2] or '', '0'}
  end
  -- Greater than the last token, and than every token issued before a flush or a lost replication. Another one for
  -- each lock, so that none opens another lock by mistake.
  local token = whole(math.max(tonumber(held[1] or '0') + 1, now_us + i - 1))
  redis.call('HSET', key, 'token', token, 'owner', ARGV[offset + 1], 'attempt', attempt,
    'lease_ends_ms', whole(now_ms + lease))
  redis.call('PEXPIRE', key, whole(lease + ARGV[offset + 3]))
  return {1, token}
end)
