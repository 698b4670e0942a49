--[[
pause-class: adds a class to those that are paused, or takes it off.

KEYS  1 airlift:paused-classes
ARGV  1 pause or resume, 2 the class
Returns {commands}
Keeps: no class is in the array twice, and an empty array is no key. What is no array is written anew.
]]
local ok, classes = pcall(cjson.decode, redis.call('GET', KEYS[1]) or '[]')
local kept = {}
for _, class in ipairs(ok and type(classes) == 'table' and classes or {}) do
  if class ~= ARGV[2] then kept[#kept + 1] = class end
end
if ARGV[1] == 'pause' then kept[#kept + 1] = ARGV[2] end
if #kept == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], cjson.encode(kept))
end
return {3}
