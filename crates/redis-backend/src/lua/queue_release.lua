-- ARGV[2…]: claims. Returns for each 1 if it still counted, else 0.
local counting, answers = standing(2, true)
give_back(counting)
return answers
