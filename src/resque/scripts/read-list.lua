--[[
read-list: reads entries of a list, in the order in which it walks, each with its id: the SHA-1 of its bytes.

KEYS  1 the list
ARGV  1-4 as walk has them, 5 most entries to return, 6 most bytes to return, 7 most bytes of an entry that is returned whole, 8 number of
      ids, the ids or their first digits (returned is only what bears one), then texts in lower case (returned is only what holds
      them all, in whatever case)
Returns {commands, length, entries looked at, {id, bytes, text, …}}. Of an entry that is too large the text is a JSON object of its short
      members, those of its payload included
]]
-- include _walk-list
-- include _json-members
-- include _short-json
-- include _choose
local most, room, whole = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local found = {}
local len, looked, commands = walk(function(text)
  if not holds(text) then return false end
  local id = redis.sha1hex(text)
  if not bears(id) then return false end
  local shown = #text > whole and short(text) or text
  if most == 0 or room < #shown and #found > 0 then return true end
  most, room = most - 1, room - #shown
  for _, part in ipairs({id, #text, shown}) do found[#found + 1] = part end
end)
return {commands + 1, len, looked, found}
