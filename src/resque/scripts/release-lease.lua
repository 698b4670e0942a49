--[[
release-lease: gives up a lease, and what stands and falls with it, if it is still the holder's.

KEYS  1 the lease, then other keys that are deleted with it
ARGV  1 the holder's id
Returns {commands, 1}, or {commands, 0} if the lease has ended, or is somebody else's
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {2, 0} end
redis.call('DEL', unpack(KEYS))
return {3, 1}
