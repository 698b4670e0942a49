--[[
same-payload: whether slots' payloads are exactly the given texts. A client that decodes replies as UTF-8 sees U+FFFD both where a
producer wrote it and where the bytes are no UTF-8; only Redis can tell.

KEYS  slots
ARGV  for each slot the text
Returns {commands, {1 or 0, …}}
]]
local same = {}
for i, entry in ipairs(redis.call('MGET', unpack(KEYS))) do
  local _, head = string.find(entry or '', ',"payload":', 1, true)
  same[i] = head and string.sub(entry, head + 1, -2) == ARGV[i] and 1 or 0
end
return {2, same}
