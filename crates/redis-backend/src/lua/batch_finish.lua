-- Follows batch_news.lua in scripts that mark documents as done.
-- The value of a stage's bit in a document's word; the first stage has the highest.
local function bit_of(one) return 2 ^ (stages - 1 - one) end
-- The later stages that need a stage: each with the bits it needs, and these with its own bit added.
local function followers_of(stage)
  local followers = {}
  for after = stage + 1, stages - 1 do
    local needs, is_after = 0, false
    for _, one in ipairs(plan.stages[after + 1].after) do
      is_after = is_after or one == stage
      if bit.band(needs, bit_of(one)) == 0 then needs = needs + bit_of(one) end
    end
    if is_after then followers[#followers + 1] = {after, needs, needs + bit_of(after)} end
  end
  return followers
end
-- Marks documents as done in a stage; ordinals are text. Returns those that were not done before.
local function finish(stage, ordinals)
  if redis.call('EXISTS', base .. ':dead') == 1 then
    local dead, alive = many(':dead', 'GET', 'u1', places_of(stage, ordinals)), {}
    for i = 1, #ordinals do
      if dead[i] == 0 then alive[#alive + 1] = ordinals[i] end
    end
    ordinals = alive
  end
  local known = many(':done', 'SET', 'u1', places_of(stage, ordinals), '1')
  local news = {}
  for i = 1, #ordinals do
    if known[i] == 0 then news[#news + 1] = ordinals[i] end
  end
  if #news == 0 then return news end
  local whole, next_for, followers = #news, {}, followers_of(stage)
  if stages > 1 then
    local masks = many(':done', 'GET', 'u' .. stages, marked(news))
    whole = 0
    for i = 1, #news do
      if masks[i] == 2 ^ stages - 1 then whole = whole + 1 end
      for n = 1, #followers do
        -- In a restored batch the later stage may be done already.
        if bit.band(masks[i], followers[n][3]) == followers[n][2] then
          next_for[n] = next_for[n] or {}
          table.insert(next_for[n], news[i])
        end
      end
    end
  end
  for n, page in pairs(next_for) do
    redis.call('RPUSH', base .. ':ready:' .. followers[n][1], unpack(page))
  end
  if redis.call('EXISTS', base .. ':errors') == 1 then
    local forgotten = {}
    for i = 1, #news do forgotten[i] = stage .. ':' .. news[i] end
    redis.call('HDEL', base .. ':errors', unpack(forgotten))
  end
  add('done:' .. stage, #news)
  if whole > 0 then add('done', whole) end
  return news
end
