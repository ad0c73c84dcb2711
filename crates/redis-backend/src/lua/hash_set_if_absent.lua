-- ARGV: rule, milliseconds, field, value. Returns 1 if the field was set; else nothing changes.
if redis.call('HSETNX', KEYS[1], ARGV[3], ARGV[4]) == 0 then return 0 end
apply_ttl_rule()
return 1
