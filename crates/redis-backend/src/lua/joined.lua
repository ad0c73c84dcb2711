-- Precedes scripts that are called with many keys at once, each for a caller of its own: see wire/joined.rs. They have
-- equally many arguments for each key, and return a list with an answer for each; an error of one is no other's.
local EACH = #ARGV / #KEYS
local server_us
-- The time in microseconds: a caller's own, or else the server's, which is read once.
local function time_us(given)
  local own = tonumber(given)
  if own then return own end
  if not server_us then
    local time = redis.call('TIME')
    server_us = time[1] * 1000000 + time[2]
  end
  return server_us
end
-- An error as the server words it, without the place in the script that Redis 6 puts before it.
local function as_reply(failed)
  if type(failed) == 'table' then failed = failed.err end
  failed = string.gsub(failed, '^@[^:]*: ?%d+: %-?', '')
  -- Some of its errors have no code.
  if not string.find(failed, '^%u+ ') then failed = 'ERR ' .. failed end
  return redis.error_reply(failed)
end
-- A number without a fraction as text. Where C's long has 32 bits, %d is too small for times.
local WHOLE = string.format('%d', 1e15) == '1000000000000000' and '%d' or '%.0f'
local function whole(number) return string.format(WHOLE, number) end
local answers = {}
-- The answers of `work` for each key, with the offset of its arguments and the index of its answer.
local function for_each(work)
  for i = 1, #KEYS do
    local is_done, answer = pcall(work, KEYS[i], (i - 1) * EACH, i)
    if not is_done then answer = as_reply(answer) end
    answers[i] = answer
  end
  return answers
end
