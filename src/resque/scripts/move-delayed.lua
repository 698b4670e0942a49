--[[
move-delayed: takes delayed items out of their lists by their text, and in a call with a target puts each as often into that list.

KEYS  1 delayed_queue_schedule, 2 the target, or any key in a call without one, then T `timestamps:` keys, whose names tell the items, then the lists
ARGV  1 bytes of the keys' common prefix, 2 T, 3 the target's seconds or "", 4 number of lists, for each of them how many items were seen in it, then for
      each item in a list three: the numbers of both, and where it was seen: its index, or "" for an item of which there may be several
Returns {commands, {how many of the item were taken, …}}; or the error of the command that Redis refused: then the item at hand is where it
      was, those before it are done
Keeps: what is in no list any more is not put back; an item is in the target before it leaves its list; resque-scheduler's books are right.
      An LREM for each item would look through a long list as often: those whose place is known are overwritten there, and removed at once.
Longer than 60 lines, because these steps are safe only together.
]]
local prefix, nitems, target, nlists = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local commands, taken, empty, lists, moved, mark = 1, {}, {}, {}, 0, '\1airlift:removed'
local function call(...)
  commands = commands + 1
  return redis.call(...)
end
local function try(...)
  commands = commands + 1
  local reply = redis.pcall(...)
  return reply, type(reply) == 'table' and reply.err
end
for l = 1, nlists do lists[l] = {key = KEYS[2 + nitems + l], seen = ARGV[4 + l], shift = 0, marks = 0, taken = 0} end
-- Where the item is now: false if it is there no more, nil if it may be there more than once.
local function find(list, item, seen)
  if seen == '' then return nil end
  if not list.later then
    list.later = {}
    -- Whoever may not remove is told before anything is marked.
    call('LREM', list.key, 0, mark)
    for _, text in ipairs(call('LRANGE', list.key, list.seen, -1)) do list.later[text] = true end
  end
  if list.later[item] then return nil end
  local index = seen - list.shift
  if index >= 0 and call('LINDEX', list.key, index) == item then return index end
  index = call('LPOS', list.key, item)
  if index then list.shift = seen - index end
  return index
end
local function remove(list, item, index)
  -- A full database refuses to overwrite, but removes.
  if index and not select(2, try('LSET', list.key, index, mark)) then
    list.marks = list.marks + 1
    return 1
  end
  return try('LREM', list.key, 0, item)
end
local function take(item, list, index)
  if index == false then return 0 end
  if target ~= '' then call('RPUSH', KEYS[2], item) end
  local count, problem = remove(list, item, index)
  if problem then
    if target ~= '' then call('RPOP', KEYS[2]) end
    error(count)
  end
  for _ = 2, target ~= '' and count or 0 do call('RPUSH', KEYS[2], item) end
  if target ~= '' and count == 0 then call('LREM', KEYS[2], -1, item) end
  return count
end
local function move()
  if target ~= '' then call('ZADD', KEYS[1], target, target) end
  for i = 5 + nlists, #ARGV, 3 do
    local book, list = KEYS[2 + ARGV[i]], lists[tonumber(ARGV[i + 1])]
    local item = string.sub(book, prefix + 12)
    local count = take(item, list, find(list, item, ARGV[i + 2]))
    if count > 0 and target ~= '' then call('SADD', book, 'delayed:' .. target) end
    call('SREM', book, string.sub(list.key, prefix + 1))
    taken[#taken + 1] = count
    list.taken, moved = list.taken + count, moved + count
  end
end
local ok, problem = pcall(move)
for _, list in ipairs(lists) do
  if list.marks > 0 then call('LREM', list.key, list.marks, mark) end
  if list.taken > 0 and call('EXISTS', list.key) == 0 then empty[#empty + 1] = string.sub(list.key, prefix + 9) end
end
if ok then
  ok, problem = pcall(function()
    if target ~= '' and moved == 0 and call('EXISTS', KEYS[2]) == 0 then empty[#empty + 1] = target end
    if #empty > 0 then call('ZREM', KEYS[1], unpack(empty)) end
  end)
end
if not ok then return type(problem) == 'table' and problem or redis.error_reply(tostring(problem)) end
return {commands, taken}
