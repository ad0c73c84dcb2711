-- Runs a command if each key that it may write has a life already.
--
-- KEYS: the keys that it may write. ARGV: the database's name, 1 if the command takes any life away, then the command.
if #ARGV > 7000 then
    return redis.error_reply('ERR contract = "refuse": the front checks commands of up to 7,000 arguments')
end
for _, key in ipairs(KEYS) do
    if ARGV[2] == '1' or redis.call('PTTL', key) < 0 then
        return redis.error_reply('NOPERM the key "' .. key .. '" would have no life, and the database "' .. ARGV[1]
            .. '" wants one: give it with the write, for example SET with EX')
    end
end
local command = {}
for at = 3, #ARGV do
    command[at - 2] = ARGV[at]
end
return redis.pcall(unpack(command))
