-- ARGV[2]: the first ordinal, [3]: how many at most. Returns {'ok', entry, …}.
local from, ordinals = tonumber(ARGV[2]), {}
local last = math.min(field('total'), from + ARGV[3]) - 1
for ordinal = from, last do ordinals[#ordinals + 1] = ordinal end
local entries = entries_of(ordinals)
-- Of a batch that is being removed some are gone, the first ones.
for i = 1, #ordinals do entries[i] = entries[i] or '' end
return {'ok', unpack(entries)}
