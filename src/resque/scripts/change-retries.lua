--[[
change-retries: removes members of airlift:retries, or makes them due now, if they are still there.

KEYS  1 airlift:retries
ARGV  1-4 as walk has them: where the members were seen; 5 remove or run, then their ids
Returns {commands, {the ids of those that are removed, or due now}, {of these the ids of those that have left their place}}
]]
-- include _walk-retries
local wanted, changed, moved, members = {}, {}, {}, {}
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
  members[#members + 1] = text
  moved[#moved + 1] = id
end)
if #members > 0 then
  if ARGV[5] == 'remove' then redis.call('ZREM', KEYS[1], unpack(members)) else redis.call('ZADD', KEYS[1], unpack(members)) end
  commands = commands + 1
end
return {commands + 2, changed, moved}
