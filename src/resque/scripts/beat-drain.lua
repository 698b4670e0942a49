--[[
beat-drain: renews a drain's lease and shows that its workers live.

KEYS  1 airlift:drains, 2 workers:heartbeat, 3 the fence (the :started key of the drain's slot 0), then a statistics key for each value
ARGV  1 the drain's description, 2 lease in ms, 3 heartbeat text, 4 number of worker ids, the worker ids, the values
Returns {commands, 1}; {commands, 0} if the drain was recovered by another: then nothing was written
]]
if redis.call('EXISTS', KEYS[3]) == 0 then return {2, 0} end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]), ARGV[1])
local beats, stats, last = {}, {}, 4 + ARGV[4]
for i = 5, last do
  beats[#beats + 1] = ARGV[i]
  beats[#beats + 1] = ARGV[3]
end
redis.call('HSET', KEYS[2], unpack(beats))
for i = 4, #KEYS do
  stats[#stats + 1] = KEYS[i]
  stats[#stats + 1] = ARGV[last + i - 3]
end
if #stats == 0 then return {5, 1} end
redis.call('MSET', unpack(stats))
return {6, 1}
