-- Continues the walk over the database's keys and measures each. ARGV: cursor, approximate number of keys, the highest
-- rank of a candidate for eviction, or '', and the most candidates: those of the lowest ranks. Returns {cursor, keys in
-- the database, whether ranks are frequencies, keys measured, their bytes, {name, bytes, rank, name, …} of the
-- candidates}.
local limit, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local page = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local keys, sum, found, of_rank, distinct = 0, 0, {}, {}, {}
local names, sizes, ranks = {}, {}, {}
for _, name in ipairs(page[2]) do
  local bytes = redis.call('MEMORY', 'USAGE', name)
  local rank = bytes and rank_of(name)
  if rank then
    keys, sum = keys + 1, sum + bytes
    if not limit or rank <= limit then
      local at = #names + 1
      names[at], sizes[at], ranks[at] = name, bytes, rank
      if not of_rank[rank] then
        of_rank[rank], distinct[#distinct + 1] = 0, rank
      end
      of_rank[rank] = of_rank[rank] + 1
    end
  end
end
-- The highest rank of which there is room for some.
local highest, room = math.huge, most
if #names > most then
  table.sort(distinct)
  for _, rank in ipairs(distinct) do
    highest = rank
    if of_rank[rank] >= room then break end
    room = room - of_rank[rank]
  end
end
for at, name in ipairs(names) do
  local rank = ranks[at]
  if rank < highest or (rank == highest and room > 0) then
    if rank == highest then room = room - 1 end
    local next = #found
    found[next + 1], found[next + 2], found[next + 3] = name, sizes[at], rank
  end
end
return {page[1], redis.call('DBSIZE'), by_frequency and 1 or 0, keys, string.format('%.0f', sum), found}
