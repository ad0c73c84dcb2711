-- Lets the tasks of claims that have ended wait again, as if they had not been claimed.
local function give_back(claims)
  local ids = {}
  for i, claim in ipairs(claims) do ids[i] = string.sub(claim, 1, 16) end
  local wait, settle = lines()
  for i, record in ipairs(ask_many('HMGET', tasks, ids)) do
    if record then wait(record, ids[i]) end
  end
  settle()
end
