-- ARGV[2]: the number of earlier repairs, [3]: the birth token, [4]: the number of corrections. Each correction is
-- the name of a count and a number to add. Then alternating stages and ordinals of stranded documents.
-- Returns {'ok', 1, or 0 if the batch was repaired meanwhile}.
if field('repairs') ~= tonumber(ARGV[2]) or born ~= tonumber(ARGV[3]) then return {'ok', 0} end
add('repairs', 1)
local first = 5 + 2 * ARGV[4]
for i = 5, first - 1, 2 do add(ARGV[i], ARGV[i + 1]) end
local total = field('total')
for i = first, #ARGV, 2 do
  local stage, ordinal = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local is_known = stage < stages and ordinal < total
  if is_known and not is_set(':done', stage, ordinal) and not is_set(':dead', stage, ordinal)
    and not (is_root(stage) and ordinal >= field('next:' .. stage)) then
    redis.call('RPUSH', base .. ':ready:' .. stage, ordinal)
  end
end
complete()
return {'ok', 1}
