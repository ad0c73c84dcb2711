-- A queue's keys, its time, and how its tasks come to wait. Stands in front of each of its scripts,
-- whose first argument is the time in microseconds or ''.
--   tasks     hash: id to record. A record is a line, 14 digits of milliseconds of its submission,
--             and the payload. A line is what stands in turn: the class (a digit), the length of the
--             group's name (3 digits) and the group's name
--   ready     sorted set of one score: line, submission and id of each waiting task
--   heads     line to the submission of its first task, CLASS added for each class
--   turns     line to its turn, TURN added for each class
--   delayed   id to the millisecond from which it may wait
--   leases    id and token of a claim to the millisecond at which it ends
--   dead      id to the millisecond in which it died
--   attempts  hash: id to how many of its attempts failed, where any did; errors likewise
--   lost      hash: id to how many of its leases ended, where any did
--   taken     hash: deduplication key to id, of tasks that are not dead; holds, the reverse, of dead ones too
--   asked     hash: what the claimant asked for last, for scripts that hand out or withdraw: see asked.lua
-- Ids and tokens have 16 digits, so that they sort as text.
local meta, tasks, ready, heads, turns, delayed, leases, dead, attempts, errors, taken, holds, lost, asked =
  unpack(KEYS)
local CLASS, TURN, PART = 1e14, 2 ^ 40, 1000
local time = tonumber(ARGV[1])
if not time then
  local parts = redis.call('TIME')
  time = parts[1] * 1000000 + parts[2]
end
local now = math.floor(time / 1000)

local function whole(number) return string.format('%.0f', number) end

-- The next number for a task or a claim: above the last one, and above all from before a flush. To
-- be kept by `keep_number` once the script has taken all that it needs.
local last
local function next_number()
  last = math.max(tonumber(last or redis.call('HGET', meta, 'last') or 0) + 1, time)
  return string.format('%016.0f', last)
end

local function keep_number()
  if last then redis.call('HSET', meta, 'last', whole(last)) end
end

-- A command with many values, in parts: Lua's unpack fails at some thousands.
local function call_many(command, key, values)
  for from = 1, #values, PART do
    redis.call(command, key, unpack(values, from, math.min(from + PART - 1, #values)))
  end
end

-- The same for a command that answers for each value.
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

-- Tasks that wait from now on, written together by `settle`.
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

-- A dead task's key is free, and known for when it is replayed.
local function bury(id)
  local key = redis.call('HGET', holds, id)
  if key then redis.call('HDEL', taken, key) end
  redis.call('ZADD', dead, now, id)
end

-- The claims among ARGV from `from` on that still count, and for each of ARGV whether it does; where
-- it `ends_them`, only the first time.
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

