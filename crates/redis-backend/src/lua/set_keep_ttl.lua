-- Sets a value and keeps the key's TTL or its lack of one; a new key gets a TTL of ARGV[2] milliseconds.
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
