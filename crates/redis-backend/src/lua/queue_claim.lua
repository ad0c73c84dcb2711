-- ARGV[2…]: maximum number of tasks, lease in milliseconds, maximum of expired leases, the error of tasks that reach
-- it, the slack of each class in milliseconds, the slot, the number of the slot's request. Returns the token, then
-- id, failed attempts, expired leases and record of each task.
local most, lease, most_lost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local slack = {[0] = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])}
local state = redis.call('HMGET', meta, 'paused', 'last', 'withdrawn')
local slot, number = ARGV[9], tonumber(ARGV[10])
if state[1] or was_withdrawn(state[3], now, asked, slot, number) then return {} end
last = state[2]

local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, most)
for _, id in ipairs(due) do
  local record = redis.call('HGET', tasks, id)
  if record then wait(record, id) end
end
call_many('ZREM', delayed, due)

local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, most)
for _, id in ipairs(ids_of(ended)) do
  local times = redis.call('HINCRBY', lost, id, 1)
  local record = redis.call('HGET', tasks, id)
  if record and times < most_lost then
    wait(record, id)
  elseif record then
    redis.call('HSET', errors, id, ARGV[5])
    bury(id)
  end
end
call_many('ZREM', leases, ended)
settle()

-- Chooses the class whose oldest task has the earliest deadline. Returns the class's next line in turn, the score of
-- that line's first task if known, the earliest deadline of the other classes, and the number of the class's lines.
local function next_line()
  local first = redis.call('ZRANGE', heads, 0, 1, 'WITHSCORES')
  if #first <= 2 then return first[1], first[2], nil, 1 end
  local class, deadline, other
  for c = 0, 2 do
    local head = redis.call('ZRANGEBYSCORE', heads, c * CLASS, '(' .. (c + 1) * CLASS,
      'WITHSCORES', 'LIMIT', 0, 1)[2]
    local its = head and head - c * CLASS + slack[c]
    if its and (not deadline or its < deadline) then
      class, deadline, other = c, its, deadline
    elseif its and (not other or its < other) then
      other = its
    end
  end
  local from, to = class * TURN, '(' .. (class + 1) * TURN
  local line = redis.call('ZRANGEBYSCORE', turns, from, to, 'LIMIT', 0, 1)[1]
  return line, nil, other, redis.call('ZCOUNT', turns, from, to)
end

-- A task whose lease has expired may have ended its worker. It is claimed alone, so that only it dies of this.
local has_lost, is_closed = redis.call('EXISTS', lost) == 1, false
local function id_in(member, line) return string.sub(member, #line + 15) end
local function losses(line, members)
  if not has_lost then return {} end
  local ids = {}
  for nth = 1, #members do ids[nth] = id_in(members[nth], line) end
  return #ids > 0 and ask_many('HMGET', lost, ids) or {}
end

local found = {}
while #found < most and not is_closed do
  local line, head, other, lines = next_line()
  if not line then break end
  local class = class_of(line)
  local share = math.min(math.max(math.floor(most / lines), 1), most - #found)
  local members = redis.call('ZRANGEBYLEX', ready, '[' .. line, '(' .. line .. ':',
    'LIMIT', 0, share + 1)
  local count, suspects = 0, losses(line, members)
  for nth = 1, math.min(share, #members) do
    local at = tonumber(string.sub(members[nth], #line + 1, #line + 14))
    if nth > 1 and other and at + slack[class] > other then break end
    is_closed = suspects[nth] and true or false
    if is_closed and #found > 0 then break end
    count = nth
    found[#found + 1] = id_in(members[nth], line)
    if is_closed then break end
  end
  -- The claim ends before this line.
  if count == 0 then break end
  -- The taken members are adjacent in the set, from the first one on.
  if count > 0 then
    redis.call('ZREMRANGEBYLEX', ready, '[' .. members[1], '[' .. members[count])
  end
  local next_one = members[count + 1]
  if next_one then
    local at = tonumber(string.sub(next_one, #line + 1, #line + 14))
    if not head or at ~= head - class * CLASS then set_head(line, at) end
    -- A single line needs no turn: it stays ahead of lines that come later.
    if lines > 1 then take_turn(line) end
  else
    redis.call('ZREM', heads, line)
    redis.call('ZREM', turns, line)
  end
end
if #found == 0 then return {} end

local token = next_number()
keep_number()
local records = ask_many('HMGET', tasks, found)
local failed, ended = {}, {}
if redis.call('EXISTS', attempts, lost) > 0 then
  failed, ended = ask_many('HMGET', attempts, found), ask_many('HMGET', lost, found)
end
local answer, claims, ends = {token}, {}, whole(now + lease)
for i, id in ipairs(found) do
  if records[i] then
    claims[#claims + 1] = ends
    claims[#claims + 1] = id .. token
    answer[#answer + 1] = id
    answer[#answer + 1] = failed[i] or 0
    answer[#answer + 1] = ended[i] or 0
    answer[#answer + 1] = records[i]
  end
end
call_many('ZADD', leases, claims)
note_asked(asked, slot, number, token .. ends)
return answer
