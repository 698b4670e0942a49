--[[
move-delayed: takes delayed items out of their lists by their text, and in a call with a target puts each as often into that list.

KEYS  1 delayed_queue_schedule, 2 the target, or any key in a call without one, then T `timestamps:` keys, whose names tell the items, then the lists
ARGV  1 bytes of the keys' common prefix, 2 T, 3 the target's seconds or "", then for each item in a list two: the numbers of both
Returns {commands, {how many of the item were taken, …}}; or the error of the command that Redis refused: then the item at hand is where it
      was, those before it are done
Keeps: what is in no list any more is not put back; an item is in the target before it leaves its list; resque-scheduler's books are right.
]]
local prefix, nitems, target = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local commands, taken, empty, moved = 1, {}, {}, 0
local function call(...)
  commands = commands + 1
  return redis.call(...)
end
local function take(item, list)
  if target ~= '' then call('RPUSH', KEYS[2], item) end
  commands = commands + 1
  local count = redis.pcall('LREM', list, 0, item)
  if type(count) == 'number' then
    for _ = 2, target ~= '' and count or 0 do call('RPUSH', KEYS[2], item) end
    if target ~= '' and count == 0 then call('LREM', KEYS[2], -1, item) end
    return count
  end
  if target ~= '' then call('RPOP', KEYS[2]) end
  error(count)
end
local function move()
  if target ~= '' then call('ZADD', KEYS[1], target, target) end
  for i = 4, #ARGV, 2 do
    local book, list = KEYS[2 + ARGV[i]], KEYS[2 + nitems + ARGV[i + 1]]
    local count = take(string.sub(book, prefix + 12), list)
    if count > 0 and target ~= '' then call('SADD', book, 'delayed:' .. target) end
    call('SREM', book, string.sub(list, prefix + 1))
    if count > 0 and call('EXISTS', list) == 0 then empty[#empty + 1] = string.sub(list, prefix + 9) end
    taken[#taken + 1] = count
    moved = moved + count
  end
  if target ~= '' and moved == 0 and call('EXISTS', KEYS[2]) == 0 then empty[#empty + 1] = target end
  if #empty > 0 then call('ZREM', KEYS[1], unpack(empty)) end
end
local ok, problem = pcall(move)
if not ok then return type(problem) == 'table' and problem or redis.error_reply(tostring(problem)) end
return {commands, taken}
