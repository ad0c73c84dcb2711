-- How recently, or how often, a key was used: what is lower is evicted first. Stands in front of the
-- budget's scripts. Which of the two a server counts depends on its `maxmemory-policy`. None of the
-- commands here counts as a use.
local now = redis.call('TIME')
local by_frequency = false
local function rank_of(name)
  local idle = redis.pcall('OBJECT', 'IDLETIME', name)
  if type(idle) == 'number' then return now[1] - idle end
  if not idle then return nil end
  by_frequency = true
  return redis.call('OBJECT', 'FREQ', name) or nil
end
