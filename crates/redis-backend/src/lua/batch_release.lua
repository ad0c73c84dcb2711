-- ARGV[2]: token. Returns {'ok', 1 if the claim held anything}.
return {'ok', give_back(ARGV[2]) and 1 or 0}
