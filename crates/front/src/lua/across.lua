-- Runs a command whose keys are in several databases of one server, in one step.
--
-- ARGV: the index where it runs, the beginning of names for copies, the protocol of the reply, how many keys are
-- elsewhere; of each of these its position in the command, its index, and 1 if the command may change it; then the
-- command. Keys that are elsewhere are copied here, the command runs on the copies, and what it changed is put back.
-- The copies are gone at the end, whatever happens.
local home, copies, resp, count = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local command = {}
for at = 5 + count * 3, #ARGV do
    command[#command + 1] = ARGV[at]
end
if #command > 7000 then
    return redis.error_reply('ERR keys of several databases: the front takes commands of up to 7,000 arguments')
end
local foreign = {}
local function run()
    for at = 1, count do
        local position = tonumber(ARGV[2 + at * 3])
        local key = {
            name = command[position],
            copy = copies .. at,
            index = ARGV[3 + at * 3],
            changes = ARGV[4 + at * 3],
        }
        foreign[at] = key
        redis.call('SELECT', key.index)
        redis.call('COPY', key.name, key.copy, 'DB', home, 'REPLACE')
        command[position] = key.copy
    end
    redis.call('SELECT', home)
    if resp == 3 then
        redis.setresp(3)
    end
    local reply = redis.pcall(unpack(command))
    if type(reply) == 'table' and reply.err then
        return reply
    end
    for _, key in ipairs(foreign) do
        if key.changes == '1' then
            if redis.call('EXISTS', key.copy) == 1 then
                redis.call('COPY', key.copy, key.name, 'DB', key.index, 'REPLACE')
            else
                redis.call('SELECT', key.index)
                redis.call('DEL', key.name)
                redis.call('SELECT', home)
            end
        end
    end
    return reply
end
local done, reply = pcall(run)
redis.call('SELECT', home)
for _, key in ipairs(foreign) do
    redis.call('DEL', key.copy)
end
if not done then
    if type(reply) == 'table' then
        return reply
    end
    return redis.error_reply('ERR ' .. tostring(reply))
end
return reply
