--[[
read-delayed: reads lists of delayed items from their heads, as much as fits.

KEYS  lists
ARGV  1 items of the first list to pass over, 2 most items, 3 most bytes; an item that is larger comes alone
Returns {commands, {items, …}, 1 if the last list of these holds more, else 0}: {items} for each list that was read, from the first on; none for a key
      that holds no list
]]
local skip, left, room = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local lists, commands, isfirst = {}, 1, true
for _, key in ipairs(KEYS) do
  if left == 0 then break end
  local items = redis.pcall('LRANGE', key, skip, skip + left)
  commands = commands + 1
  if items.err and string.find(items.err, 'WRONGTYPE', 1, true) then items = {} end
  if items.err then return items end
  lists[#lists + 1] = {}
  for _, item in ipairs(items) do
    room = room - #item
    if left == 0 or (room < 0 and not isfirst) then return {commands, lists, 1} end
    left, isfirst = left - 1, false
    table.insert(lists[#lists], item)
  end
  skip = 0
end
return {commands, lists, 0}
