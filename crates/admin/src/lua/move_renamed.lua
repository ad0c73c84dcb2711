-- Moves KEYS[1] to database ARGV[1] as KEYS[2]. Returns 1 if it was moved, and 0 if it is missing or the
-- name exists there. KEYS[2] must not exist in this database either, or RENAME would overwrite it.
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
if redis.call('MOVE', KEYS[2], ARGV[1]) == 1 then return 1 end
redis.call('RENAME', KEYS[2], KEYS[1])
return 0
