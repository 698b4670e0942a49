--[[
read-retries: reads members of airlift:retries, those that are due first at the front.

KEYS  1 airlift:retries
ARGV  1-4 as walk has them, 5 most members to return, 6 most bytes to return, 7 most bytes of a member that is returned whole, 8 and on as
      _choose has them
Returns {commands, members, members looked at, 1 at the end, else 0, score and members of that score behind it, {id, score, bytes, text, …}}. Of
      a member that is too large the text is a JSON object of its short members, those of its payload included
]]
-- include _walk-retries
-- include _json-members
-- include _short-json
-- include _choose
local most, room, whole, found = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), {}
local looked, commands, ended, score, ties = walk(function(text, due)
  local id = id_of(text)
  if not bears(id) or not holds(text) then return false end
  local shown = #text > whole and short(text) or text
  if most == 0 or room < #shown and #found > 0 then return true end
  most, room = most - 1, room - #shown
  for _, part in ipairs({id, due, #text, shown}) do found[#found + 1] = part end
end)
return {commands + 2, redis.call('ZCARD', KEYS[1]), looked, ended and 1 or 0, score, ties, found}
