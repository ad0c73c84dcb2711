-- ARGV[2]: claimant, [3]: slot, [4]: number of a request for documents or the completion. Hands back what it
-- was handed, and refuses it if it has not come yet. Returns {'ok', 1 if there was anything to hand back}.
local token = withdraw(base, now_ms, base .. ':asked:' .. ARGV[2], ARGV[3], tonumber(ARGV[4]))
return {'ok', token ~= '' and give_back(token) and 1 or 0}
