--[[
renew-run: keeps the mark of a run that goes on; not one of another run that has taken its place, or is done, which keeps its own time.

KEYS  1 the mark
ARGV  1 what it must be, 2 its TTL (ms)
]]
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
