-- Reads and removes a counter. Anything but a whole number is an error and stays.
local value = redis.call('GET', KEYS[1])
if not value then return '0' end
-- Redis's own rule for what is a number, applied without changing the value.
redis.call('INCRBY', KEYS[1], 0)
redis.call('DEL', KEYS[1])
return value
