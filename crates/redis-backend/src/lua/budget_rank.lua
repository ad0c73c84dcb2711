-- The rank of a key: how recently or how often it was used. Lower ranks are evicted first. Precedes the budget's
-- scripts. The server's `maxmemory-policy` determines which of the two it counts. None of these commands counts as a
-- use.
local now = redis.call('TIME')
local by_frequency = false
local function rank_of(name)
  local idle = redis.pcall('OBJECT', 'IDLETIME', name)
  if type(idle) == 'number' then return now[1] - idle end
  if not idle then return nil end
  by_frequency = true
  return redis.call('OBJECT', 'FREQ', name) or nil
end
