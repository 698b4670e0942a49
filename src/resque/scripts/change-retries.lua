--[[
change-retries: removes members of airlift:retries, and the places under limits that detached jobs hold, or makes them due now, if they are
still there.

KEYS  1 airlift:retries, 2 airlift:running
ARGV  1-4 as walk has them: where the members were seen; 5 remove or run, then their ids
Returns {commands, {the ids of those that are removed, or due now}, {of these the ids of those that have left their place}}
]]
-- include _walk-retries
-- include _place-of
local wanted, changed, moved, members, places = {}, {}, {}, {}, {}
for i = 6, #ARGV do wanted[ARGV[i]] = true end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local _, commands = walk(function(text, due)
  local id = id_of(text)
  if not wanted[id] then return end
  changed[#changed + 1] = id
  if ARGV[5] == 'run' then
    if tonumber(due) <= tonumber(now) then return end
    members[#members + 1] = now
  end
  members[#members + 1], places[#places + 1] = text, ARGV[5] == 'remove' and place_of(text) or nil
  moved[#moved + 1] = id
end)
if #members > 0 then
  if ARGV[5] == 'remove' then redis.call('ZREM', KEYS[1], unpack(members)) else redis.call('ZADD', KEYS[1], unpack(members)) end
  commands = commands + 1
end
if #places > 0 then
  redis.pcall('HDEL', KEYS[2], unpack(places))
  commands = commands + 1
end
return {commands + 2, changed, moved}
