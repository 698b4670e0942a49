--[[
read-slots: tells what a dead drain's slots hold, without the payloads themselves.

KEYS  slots
ARGV  1 most bytes of a payload's end to return
Returns {commands, {slot, the entry up to its payload, the payload's first byte, the payload's end, …}}; an entry that Airlift did not
      write has nothing before its payload
]]
local occupied = {}
for i, entry in ipairs(redis.call('MGET', unpack(KEYS))) do
  if entry then
    local head = string.match(entry, '^{"claim":"[^"]*","queue":".-","run_at":"[^"]*","payload":') or ''
    local payload = string.sub(entry, #head + 1, -2)
    for _, part in ipairs({i, head, string.sub(payload, 1, 1), string.sub(payload, -ARGV[1])}) do occupied[#occupied + 1] = part end
  end
end
return {2, occupied}
