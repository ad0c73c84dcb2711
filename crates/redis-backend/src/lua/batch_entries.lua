-- ARGV[2]: the first ordinal, [3]: maximum number of entries. Returns {'ok', entry, …}.
local from, ordinals = tonumber(ARGV[2]), {}
local last = math.min(field('total'), from + ARGV[3]) - 1
for ordinal = from, last do ordinals[#ordinals + 1] = ordinal end
local entries = entries_of(ordinals)
-- A batch that is being removed has lost its first entries.
for i = 1, #ordinals do entries[i] = entries[i] or '' end
return {'ok', unpack(entries)}
