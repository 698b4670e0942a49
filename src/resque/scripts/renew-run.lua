--[[
renew-run: keeps the mark of a run that goes on.

KEYS  1 the mark
ARGV  1 what it must be, 2 its TTL (ms)
Returns {commands, 1}; {commands, 0} if another run has taken its place, or is done: that keeps its own time
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {2, 0} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {3, 1}
