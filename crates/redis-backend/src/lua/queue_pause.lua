-- ARGV[2]: 1 to pause, 0 to resume.
if ARGV[2] == '1' then
  redis.call('HSET', meta, 'paused', 1)
else
  redis.call('HDEL', meta, 'paused')
end
return 1
