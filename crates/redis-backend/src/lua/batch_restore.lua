-- ARGV[2]: stage. Then for each document its ordinal if it is done, else 'dead', the ordinal and the error. Returns
-- {'ok', the number of documents that changed}.
local stage = tonumber(ARGV[2])
if stage >= stages then return {'no stage'} end
local total, news, done, beyond = field('total'), 0, {}, 0
-- Documents from here on were never claimed: claims skip those that are settled when their turn comes.
local unseen = is_root(stage) and field('next:' .. stage) or total
local function count(ordinal)
  news = news + 1
  if tonumber(ordinal) >= unseen then beyond = beyond + 1 end
end
local function finish_told()
  if #done == 0 then return end
  for _, ordinal in ipairs(finish(stage, done)) do count(ordinal) end
  done = {}
end
local i = 3
while i <= #ARGV do
  if ARGV[i] == 'dead' then
    finish_told()
    local ordinal = tonumber(ARGV[i + 1])
    if ordinal < total and bury(stage, ordinal, ARGV[i + 2]) then count(ordinal) end
    i = i + 3
  else
    if tonumber(ARGV[i]) < total then done[#done + 1] = ARGV[i] end
    i = i + 1
  end
end
finish_told()
if beyond > 0 then add('restored:' .. stage, beyond) end
if news > 0 then complete() end
return {'ok', news}
