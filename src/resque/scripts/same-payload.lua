--[[
same-payload: whether a slot's payload is exactly the given text. A client that decodes replies as UTF-8 sees U+FFFD both where a
producer wrote it and where the bytes are no UTF-8; only Redis can tell.

KEYS  1 the slot
ARGV  1 the text
Returns {commands, 1 or 0}
]]
local entry = redis.call('GET', KEYS[1]) or ''
local _, head = string.find(entry, ',"payload":', 1, true)
return {2, head and string.sub(entry, head + 1, -2) == ARGV[1] and 1 or 0}
