-- ARGV[2]: claimant, [3]: slot, [4]: number of a request for documents or the completion. Hands back what the request
-- was handed; if it has not been executed yet, it will be refused. Returns {'ok', 1 if anything was handed back}.
local token = withdraw(base, now_ms, base .. ':asked:' .. ARGV[2], ARGV[3], tonumber(ARGV[4]))
return {'ok', token ~= '' and give_back(token) and 1 or 0}
