-- ARGV[2]: 'seal', 'pause', 'resume' or 'cancel'. Returns {'ok', the status afterwards}.
local status = redis.call('HGET', base, 'status')
local change = ARGV[2]
if change == 'seal' and status == 'open' then
  redis.call('HSET', base, 'status', 'sealed')
  complete()
elseif change == 'pause' then
  redis.call('HSET', base, 'paused', 1)
elseif change == 'resume' then
  redis.call('HDEL', base, 'paused')
elseif change == 'cancel' and status ~= 'completed' then
  redis.call('HSET', base, 'status', 'cancelled')
end
status = redis.call('HGET', base, 'status')
if status == 'completed' or status == 'cancelled' then
  redis.call('HSETNX', base, 'ended', text(now_ms))
end
return {'ok', status}
