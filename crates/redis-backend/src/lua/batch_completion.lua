-- To claim the completion, ARGV[2]: lease in milliseconds, [3]: claimant, [4]: slot, [5]: number of the slot's
-- request. To finish it, [2]: '' and [3]: token. Returns {'ok', token} or {'ok', 1 or 0}; {'ok'} if there is nothing
-- to claim.
local held = redis.call('HMGET', base, 'completion', 'completion_ends')
local is_held = held[1] and held[1] ~= 'due' and tonumber(held[2]) > now_ms
if ARGV[2] == '' then
  if not is_held or held[1] ~= ARGV[3] then return {'ok', 0} end
  redis.call('HDEL', base, 'completion', 'completion_ends')
  redis.call('HSET', base, 'ended', text(now_ms))
  return {'ok', 1}
end
local asked, number = base .. ':asked:' .. ARGV[3], tonumber(ARGV[5])
if not held[1] or is_held or was_withdrawn(head[4], now_ms, asked, ARGV[4], number) then return {'ok'} end
local token = next_token()
redis.call('HSET', base, 'completion', token, 'completion_ends', text(now_ms + ARGV[2]))
note_asked(asked, ARGV[4], number, token)
return {'ok', token}
