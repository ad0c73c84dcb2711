-- The keys and the time of a queue, and shared functions. Precedes each of the queue's scripts, whose first argument
-- is the time in microseconds or ''.
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
local CLASS, TURN, PART = 1e14, 2 ^ 40, 1000
local time = tonumber(ARGV[1])
if not time then
  local parts = redis.call('TIME')
  time = parts[1] * 1000000 + parts[2]
end
local now = math.floor(time / 1000)

local function whole(number) return string.format('%.0f', number) end

-- The next number for a task or a claim: greater than the last one, and than all from before a flush. Call
-- `keep_number` after the script has taken all its numbers.
local last
local function next_number()
  last = math.max(tonumber(last or redis.call('HGET', meta, 'last') or 0) + 1, time)
  return string.format('%016.0f', last)
end

local function keep_number()
  if last then redis.call('HSET', meta, 'last', whole(last)) end
end

-- Calls a command with many values, in parts, because Lua's unpack fails at some thousands.
local function call_many(command, key, values)
  for from = 1, #values, PART do
    redis.call(command, key, unpack(values, from, math.min(from + PART - 1, #values)))
  end
end

-- Calls a command that returns an answer for each value, in parts.
local function ask_many(command, key, values)
  local answers = {}
  for from = 1, #values, PART do
    local part = redis.call(command, key, unpack(values, from, math.min(from + PART - 1, #values)))
    for _, answer in ipairs(part) do answers[#answers + 1] = answer end
  end
  return answers
end

local function line_of(record) return string.sub(record, 1, 4 + string.sub(record, 2, 4)) end

local function class_of(line) return tonumber(string.sub(line, 1, 1)) end

local function take_turn(line)
  local turn = redis.call('HINCRBY', meta, 'turn', 1)
  redis.call('ZADD', turns, whole(class_of(line) * TURN + turn), line)
end

local function set_head(line, at)
  redis.call('ZADD', heads, whole(class_of(line) * CLASS + at), line)
end

-- Tasks that become ready in this script; `settle` writes them together.
local waiting, first_of, in_order = {}, {}, {}
local function wait(record, id)
  local line = line_of(record)
  local at = string.sub(record, #line + 1, #line + 14)
  waiting[#waiting + 1] = 0
  waiting[#waiting + 1] = line .. at .. id
  if not first_of[line] then in_order[#in_order + 1] = line end
  if not first_of[line] or at < first_of[line] then first_of[line] = at end
end

local function settle()
  call_many('ZADD', ready, waiting)
  for _, line in ipairs(in_order) do
    local at = tonumber(first_of[line])
    local head = redis.call('ZSCORE', heads, line)
    if not head then take_turn(line) end
    if not head or at < head - class_of(line) * CLASS then set_head(line, at) end
  end
end

-- Marks a task as dead. Its deduplication key becomes free, and is kept in `holds` for a replay.
local function bury(id)
  local key = redis.call('HGET', holds, id)
  if key then redis.call('HDEL', taken, key) end
  redis.call('ZADD', dead, now, id)
end

-- The claims in ARGV from `from` on that still count, and for each argument 1 if it does. With `ends_them` a repeated
-- claim counts only once.
local function standing(from, ends_them)
  local claims, counting, answers, seen = {}, {}, {}, {}
  for i = from, #ARGV do claims[#claims + 1] = ARGV[i] end
  local ends = ask_many('ZMSCORE', leases, claims)
  for i, claim in ipairs(claims) do
    local counts = ends[i] and not seen[claim]
    seen[claim] = ends_them
    answers[i] = counts and 1 or 0
    if counts then counting[#counting + 1] = claim end
  end
  return counting, answers
end

local function ids_of(claims)
  local ids = {}
  for i, claim in ipairs(claims) do ids[i] = string.sub(claim, 1, 16) end
  return ids
end

-- Ends claims as if they had not been made.
local function give_back(claims)
  local ids = ids_of(claims)
  call_many('ZREM', leases, claims)
  for i, record in ipairs(ask_many('HMGET', tasks, ids)) do
    if record then wait(record, ids[i]) end
  end
  settle()
end

