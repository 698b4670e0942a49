--[[
close-drain: gives back what is still in a slot, unchanged, to the head of its queue, and removes every trace of the drain.

KEYS  1 airlift:drains, 2 workers, 3 workers:heartbeat, 4 airlift:running, 5 queues, then S slots, then every other key of the drain's workers, then the queues
ARGV  1 drain id, 2 the drain's description, 3 S, 4 number of queues, 5 1 if its jobs may hold places in airlift:running, else 0, then for each
      queue its name as JSON, then the worker ids
Returns {commands, jobs given back}
Keeps: a slot is emptied only if its job is back in a queue. One whose queue is not among KEYS, or takes none, stays, and so does the drain's
      description: whoever recovers it later finds the job.
]]
local nslots, nq = tonumber(ARGV[3]), tonumber(ARGV[4])
local slots, deletes, ids, queues, given, returned, stays, commands = {}, {}, {}, {}, {}, 0, false, 2
for i = 6, 5 + nslots do slots[#slots + 1] = KEYS[i] end
for i = 1, nq do queues[ARGV[5 + i]] = KEYS[#KEYS - nq + i] end
for i = 6 + nq, #ARGV do ids[#ids + 1] = ARGV[i] end
local entries = redis.call('MGET', unpack(slots))
for i = nslots, 1, -1 do
  local head, name = string.match(entries[i] or '', '^({"claim":"[^"]*","queue":(".-"),"run_at":"[^"]*","payload":)')
  if head and queues[name] and string.sub(entries[i], 11, 11 + #ARGV[1]) == ARGV[1] .. '.' then
    local pushed = redis.pcall('LPUSH', queues[name], string.sub(entries[i], #head + 1, -2))
    local isrefused = type(pushed) == 'table' and pushed.err
    commands, returned, stays = commands + 1, returned + (isrefused and 0 or 1), stays or isrefused
    if not isrefused then deletes[#deletes + 1], given[queues[name]] = slots[i], true end
  elseif entries[i] then
    stays = true
  end
end
-- include _name-queues
commands = commands + name_queues(KEYS[5], given)
if stays then
  if #deletes > 0 then redis.call('DEL', unpack(deletes)) end
  return {commands + math.min(#deletes, 1), returned}
end
for i = 6 + nslots, #KEYS - nq do deletes[#deletes + 1] = KEYS[i] end
redis.call('DEL', unpack(deletes))
redis.call('SREM', KEYS[2], unpack(ids))
redis.call('HDEL', KEYS[3], unpack(ids))
if ARGV[5] == '1' then
  local places = {}
  for i = 1, nslots do places[i] = ARGV[1] .. '.' .. i - 1 end
  redis.call('HDEL', KEYS[4], unpack(places))
  commands = commands + 1
end
redis.call('ZREM', KEYS[1], ARGV[2])
return {commands + 4, returned}
