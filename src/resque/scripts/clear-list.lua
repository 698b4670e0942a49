--[[
clear-list: removes entries from a queue's head.

KEYS  1 the queue's list, 2 queues
ARGV  1-4 as walk has them (from the head), 5 the queue's name, to take it off queues when nothing is left, or ""
Returns {commands, entries removed, entries left, {those removed that bear Airlift's own member}}
]]
-- include _walk-list
local ours, room = {}, 2000000
local len, looked, commands = walk(function(text)
  if not string.find(text, ',"airlift":{', -400, true) then return false end
  room = room - #text
  if room < 0 and #ours > 0 then return true end
  ours[#ours + 1] = text
end)
if looked > 0 then
  redis.call('LTRIM', KEYS[1], looked, -1)
  commands = commands + 1
end
if ARGV[5] ~= '' and looked == len then
  redis.call('SREM', KEYS[2], ARGV[5])
  commands = commands + 1
end
return {commands + 1, looked, len - looked, ours}
