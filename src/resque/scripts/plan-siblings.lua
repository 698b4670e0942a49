--[[
plan-siblings: how many drains should be started beside those that live.

KEYS  1 airlift:scaling, 2 airlift:drains, then Q queues, then their Q pause keys
ARGV  1 the drain's id, 2 jobs for one drain, 3 most drains, 4 how long the plan is valid, in ms
Returns {commands, drains to start, jobs that wait}; {2, 0, 0} while another drain's plan is valid
Keeps: of drains that ask at the same time one is told to start the others. It may ask again, should it not have heard the reply.
]]
local planner = redis.call('GET', KEYS[1])
if planner and planner ~= ARGV[1] then return {2, 0, 0} end
local nq, time = (#KEYS - 2) / 2, redis.call('TIME')
local live = redis.call('ZCOUNT', KEYS[2], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), '+inf')
local pauses = redis.call('MGET', unpack(KEYS, 3 + nq))
local commands, queued = 5, 0
for i = 1, nq do
  if not pauses[i] then
    queued = queued + redis.call('LLEN', KEYS[2 + i])
    commands = commands + 1
  end
end
local missing = math.min(tonumber(ARGV[3]), math.ceil(queued / ARGV[2])) - live
if missing <= 0 then return {commands, 0, queued} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
return {commands + 1, missing, queued}
