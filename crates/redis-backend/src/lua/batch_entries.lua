-- ARGV[2]: the first ordinal, [3]: how many at most. Returns {'ok', entry, …}.
local from = tonumber(ARGV[2])
local to, answer = math.min(field('total'), from + ARGV[3]), {'ok'}
while from < to do
  local chunk, fields = math.floor(from / 100), {}
  while from < to and math.floor(from / 100) == chunk do
    fields[#fields + 1] = string.format('%d', from % 100)
    from = from + 1
  end
  local entries = redis.call('HMGET', base .. ':e:' .. chunk, unpack(fields))
  -- A batch that is being removed loses its entries before all else.
  if not entries[1] then break end
  for i = 1, #entries do answer[#answer + 1] = entries[i] end
end
return answer
