-- Reads and removes a counter. A value that is not a whole number is an error and stays.
local value = redis.call('GET', KEYS[1])
if not value then return '0' end
-- This applies Redis's own check for a number without changing the value.
redis.call('INCRBY', KEYS[1], 0)
redis.call('DEL', KEYS[1])
return value
