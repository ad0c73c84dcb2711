-- Moves KEYS[1] to database ARGV[1] as KEYS[2]; 1 when it did, 0 when there is nothing to move or
-- something in the way. The name is free in this database too, or it would be lost.
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
if redis.call('MOVE', KEYS[2], ARGV[1]) == 1 then return 1 end
redis.call('RENAME', KEYS[2], KEYS[1])
return 0
