-- Continues the walk over the database's keys and measures each. ARGV: cursor, approximate number of keys, and the
-- highest rank of a candidate for eviction, or ''. Returns {cursor, keys in the database, whether ranks are
-- frequencies, keys measured, their bytes, {name, bytes, rank, name, …} of the candidates}.
local limit = tonumber(ARGV[3])
local page = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local keys, sum, candidates = 0, 0, {}
for _, name in ipairs(page[2]) do
  local bytes = redis.call('MEMORY', 'USAGE', name)
  local rank = bytes and rank_of(name)
  if rank then
    keys, sum = keys + 1, sum + bytes
    if not limit or rank <= limit then
      local at = #candidates
      candidates[at + 1], candidates[at + 2], candidates[at + 3] = name, bytes, rank
    end
  end
end
return {page[1], redis.call('DBSIZE'), by_frequency and 1 or 0, keys, string.format('%.0f', sum),
  candidates}
