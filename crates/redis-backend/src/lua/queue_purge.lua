-- Returns the number of tasks removed. The last issued number is kept.
local count = redis.call('HLEN', tasks)
redis.call('UNLINK', tasks, ready, heads, turns, delayed, leases, dead, attempts, errors, taken, holds,
  lost)
return count
