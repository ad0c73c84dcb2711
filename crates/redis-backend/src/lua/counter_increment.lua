-- ARGV: rule, milliseconds, addend. Returns the sum as text: a Lua number is a double.
redis.call('INCRBY', KEYS[1], ARGV[3])
apply_ttl_rule()
return redis.call('GET', KEYS[1])
