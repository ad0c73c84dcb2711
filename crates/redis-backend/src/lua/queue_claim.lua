-- ARGV[2…]: maximum number of tasks, lease in milliseconds, maximum of expired leases, the error of tasks that reach
-- it, the slack of each class in milliseconds, the slot, the number of the slot's request. Returns the token, the ids
-- and the records of the tasks; then, if a task of the queue ever ended badly, their failed attempts and their expired
-- leases. A list has a nil for a task without a record, which is not claimed, and for a number that is zero.
local most, lease, most_lost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local slack = {[0] = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])}
local slot, number = ARGV[9], tonumber(ARGV[10])
local state = redis.call('HMGET', meta, 'paused', 'last', 'withdrawn')
if state[1] or was_withdrawn(state[3], now, asked, slot, number) then return {} end

-- Most queues have none of these: one call instead of three.
local has_some = redis.call('EXISTS', delayed, attempts, lost) > 0
local due = has_some and redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, most) or {}
local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, most)
if #due > 0 or #ended > 0 then
  local wait, settle = lines()
  for _, id in ipairs(due) do
    local record = redis.call('HGET', tasks, id)
    if record then wait(record, id) end
  end
  call_many('ZREM', delayed, due)
  for _, claim in ipairs(ended) do
    local id = string.sub(claim, 1, 16)
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
  has_some = true
end
local has_lost = has_some and redis.call('EXISTS', lost) == 1

local found = {}

-- Takes from all lines, in turns.
local function take_by_turns()
  local _, _, _, class_of, take_turn, set_head = lines()
  local function id_in(member, line) return string.sub(member, #line + 15) end

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
  local is_closed = false
  local function losses(line, members)
    if not has_lost then return {} end
    local ids = {}
    for nth = 1, #members do ids[nth] = id_in(members[nth], line) end
    return #ids > 0 and ask_many('HMGET', lost, ids) or {}
  end

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
end

-- Most queues have one line, so its members are all of the set.
local first = redis.call('ZRANGE', heads, 0, 1, 'WITHSCORES')
local line, head = first[1], first[2]
local members = #first == 2 and not has_lost and redis.call('ZRANGE', ready, 0, most) or {}
local last_one = members[#members]
if last_one and string.sub(members[1], 1, #line) == line and string.sub(last_one, 1, #line) == line then
  for nth = 1, math.min(most, #members) do found[nth] = string.sub(members[nth], #line + 15) end
  redis.call('ZREMRANGEBYRANK', ready, 0, #found - 1)
  if #members > most then
    -- The score of a head is the class, then 14 digits of milliseconds.
    local score = string.sub(line, 1, 1) .. string.sub(last_one, #line + 1, #line + 14)
    if tonumber(score) ~= tonumber(head) then redis.call('ZADD', heads, score, line) end
  else
    redis.call('DEL', heads, turns)
  end
elseif line then
  take_by_turns()
end
if #found == 0 then return {} end

-- Greater than the last number, and than all from before a flush.
local token = string.format('%016.0f', math.max(tonumber(state[2] or 0) + 1, time))
redis.call('HSET', meta, 'last', token)
local records = ask_many('HMGET', tasks, found)
local claims, ends = {}, whole(now + lease)
-- The last one first: a small sorted set is a list that is read from its beginning, where each of them then belongs.
for i = #found, 1, -1 do
  if records[i] then
    claims[#claims + 1] = ends
    claims[#claims + 1] = found[i] .. token
  end
end
call_many('ZADD', leases, claims)
note_asked(asked, slot, number, token .. ends)
if not has_some then return {token, found, records} end
return {token, found, records, ask_many('HMGET', attempts, found), ask_many('HMGET', lost, found)}
