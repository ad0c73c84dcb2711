-- ARGV: rule, milliseconds, field, addend. Returns the sum as text: a Lua number is a double.
redis.call('HINCRBY', KEYS[1], ARGV[3], ARGV[4])
apply_ttl_rule()
return redis.call('HGET', KEYS[1], ARGV[3])
