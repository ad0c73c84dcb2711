-- The lines of a queue: their turns, their first tasks, and the tasks that join them. A script calls `lines` for the
-- functions when it needs them: to make them costs a microsecond.
local CLASS, TURN = 1e14, 2 ^ 40
local function lines()
  local function line_of(record) return string.sub(record, 1, 4 + string.sub(record, 2, 4)) end

  local function class_of(line) return tonumber(string.sub(line, 1, 1)) end

  local function take_turn(line)
    local turn = redis.call('HINCRBY', meta, 'turn', 1)
    redis.call('ZADD', turns, whole(class_of(line) * TURN + turn), line)
  end

  local function set_head(line, at)
    redis.call('ZADD', heads, whole(class_of(line) * CLASS + at), line)
  end

  -- Tasks that become ready in this script: `wait` for each, then `settle`, which writes them together.
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

  return wait, settle, line_of, class_of, take_turn, set_head
end
