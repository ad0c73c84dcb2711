-- Returns how many tasks there were. The numbers given so far stay.
local count = redis.call('HLEN', tasks)
redis.call('UNLINK', tasks, ready, heads, turns, delayed, leases, dead, attempts, errors, taken, holds,
  lost)
return count
