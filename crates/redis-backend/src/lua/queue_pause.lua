-- Then: 1 to stop handing out tasks, 0 to go on.
if ARGV[2] == '1' then
  redis.call('HSET', meta, 'paused', 1)
else
  redis.call('HDEL', meta, 'paused')
end
return 1
