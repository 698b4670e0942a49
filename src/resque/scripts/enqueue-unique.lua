--[[
enqueue-unique: puts jobs where they wait, each only if it gets its unique lock.

KEYS  the locks, and what the commands write to
ARGV  for each job its lock's key (0: it needs none), a value under which the lock is taken over or "", the lock's new value, its TTL in ms,
      the number of its commands, then for each of them: name (RPUSH, SADD or ZADD), key, number of arguments, the arguments.
      Commands of the same name and key are sent as one
Returns {commands, {jobs that did not get their lock}, {key of an RPUSH, the list's length then, …}}, all numbers from 1; or the error of
      the command that Redis refused
Keeps: no lock without its job and no job without its lock: if a command is refused, what was done before it is undone; a job that cannot be
      taken out of its list again, as its producer may not, keeps its lock and its place in the books.
Longer than 60 lines, because these steps are safe only together.
]]
local commands, undo, pushed, refused, lengths, batches, current = 1, {}, {}, {}, {}, {}, {}
local function call(...)
  commands = commands + 1
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then error(reply) end
  return reply
end
local function take(lock, held, value, ttl)
  if held ~= '' and call('GET', lock) == held then
    undo[#undo + 1] = {'SET', lock, held, 'PX', ttl}
    return call('SET', lock, value, 'PX', ttl)
  end
  local taken = call('SET', lock, value, 'PX', ttl, 'NX')
  if taken then undo[#undo + 1] = {'DEL', lock} end
  return taken
end
-- Returns the batch that the command becomes a part of.
local function add(name, key, first, last)
  local batch = current[name .. key]
  -- unpack has room for some 7,000 values
  if not batch or #batch.values > 6000 then
    batch = {name = name, key = KEYS[key], number = key, values = {}, seen = {}}
    current[name .. key] = batch
    batches[#batches + 1] = batch
  end
  for i = first, last do
    if name ~= 'SADD' or not batch.seen[ARGV[i]] then batch.values[#batch.values + 1] = ARGV[i] end
    batch.seen[ARGV[i]] = true
  end
  return batch
end
local function write(batch)
  local reply = call(batch.name, batch.key, unpack(batch.values))
  if batch.name == 'RPUSH' then
    pushed[#pushed + 1] = batch
    lengths[#lengths + 1] = batch.number
    lengths[#lengths + 1] = reply
    return
  end
  local step = batch.name == 'ZADD' and 2 or 1
  local undoing = {batch.name == 'ZADD' and 'ZREM' or 'SREM', batch.key, isbook = true}
  for i = step, #batch.values, step do undoing[#undoing + 1] = batch.values[i] end
  -- What was in the set before stays.
  if reply == #undoing - 2 then undo[#undo + 1] = undoing end
end
local ok, problem = pcall(function()
  local at, job = 1, 0
  while at <= #ARGV do
    job = job + 1
    local lock, count = KEYS[tonumber(ARGV[at])], tonumber(ARGV[at + 4])
    local taken = not lock or take(lock, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
    if not taken then refused[#refused + 1] = job end
    at = at + 5
    local locked = lock and taken and undo[#undo] or {}
    for _ = 1, count do
      local last = at + 2 + tonumber(ARGV[at + 2])
      local batch = taken and add(ARGV[at], tonumber(ARGV[at + 1]), at + 3, last)
      if ARGV[at] == 'RPUSH' then locked.job = batch end
      at = last + 1
    end
  end
  for _, batch in ipairs(batches) do write(batch) end
end)
if ok then return {commands, refused, lengths} end
local stays = false
for i = #pushed, 1, -1 do
  local reply = redis.pcall('RPOP', pushed[i].key, #pushed[i].values)
  pushed[i].stays = reply.err
  stays = stays or reply.err
end
for i = #undo, 1, -1 do
  local step = undo[i]
  if not (step.job and step.job.stays) and not (step.isbook and stays) then redis.pcall(unpack(step)) end
end
return problem.err and problem or redis.error_reply(problem)
