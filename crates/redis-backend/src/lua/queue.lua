-- The keys of a queue. Precedes each of the queue's scripts, whose first argument is the time in microseconds or ''.
-- A function costs a script a tenth of a microsecond although it is not called, so each file has what its scripts need.
--   tasks     hash: id to record. A record is the line, 14 digits of milliseconds of its submission, and the payload.
--             Lines take turns; a line is the class (a digit), the length of the group's name (3 digits) and
--             the group's name
--   ready     sorted set of one score: line, submission time and id of each waiting task
--   heads     line to the submission time of its first task, plus CLASS times the class
--   turns     line to its turn, plus TURN times the class
--   delayed   id to the millisecond from which it may be claimed
--   leases    id and token of a claim to the millisecond at which it ends
--   dead      id to the millisecond in which it died
--   attempts  hash: id to the number of failed attempts, if any; errors: id to the last error
--   lost      hash: id to the number of expired leases, if any
--   taken     hash: deduplication key to id, of tasks that are not dead; holds: id to key, of dead tasks too
--   absent    never exists. It lets a cluster refuse the script while the slot is between two nodes: see script.rs
--   asked     hash: the last requests of the claimant, for scripts that claim or withdraw: see asked.lua
-- Ids and tokens have 16 digits, so that they sort as text.
local meta, tasks, ready, heads, turns, delayed, leases, dead, attempts, errors, taken, holds, lost, absent, asked =
  unpack(KEYS)
local PART = 1000

local function whole(number) return string.format('%.0f', number) end

-- Calls a command with many values, in parts, because Lua's unpack fails at some thousands.
local function call_many(command, key, values)
  for from = 1, #values, PART do
    redis.call(command, key, unpack(values, from, math.min(from + PART - 1, #values)))
  end
end

-- Calls a command that returns an answer for each value, in parts.
local function ask_many(command, key, values)
  if #values == 0 then return {} end
  if #values <= PART then return redis.call(command, key, unpack(values)) end
  local answers = {}
  for from = 1, #values, PART do
    local part = redis.call(command, key, unpack(values, from, math.min(from + PART - 1, #values)))
    for _, answer in ipairs(part) do answers[#answers + 1] = answer end
  end
  return answers
end
