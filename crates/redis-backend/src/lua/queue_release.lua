-- Then: claims. Returns for each 1 if it still counted, else 0.
local counting, answers = standing(2, true)
local ids = ids_of(counting)
call_many('ZREM', leases, counting)
for i, record in ipairs(ask_many('HMGET', tasks, ids)) do
  if record then wait(record, ids[i]) end
end
settle()
return answers
