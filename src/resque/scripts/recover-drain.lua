--[[
recover-drain: takes a dead drain's jobs back and removes every trace of it, unless something changed since it was read.

KEYS  1 airlift:drains, 2 workers, 3 workers:heartbeat, 4 stat:processed, 5 stat:failed, 6 failed, 7 failed_queues, 8 airlift:checkins, 9 airlift:running,
      10 the lock of Ruby's pruning, 11 queues, then S slots, then every other key of the drain's workers, then T statuses, then L unique locks, then F failed
      lists of single queues, then the queues
ARGV  1 the drain's description, 2 its lease's end as read (ms), 3 S, 4 number of queues, 5 number of occupied slots, 6 F, 7 most entries of a
      failed list or 0, 8 T, 9 TTL of a status in ms, or 0 to write only those that are there and to keep theirs, 10 L, 11 the heartbeat before
      which Ruby prunes, then for each occupied slot: slot, the entry up to its payload as read, queue, bytes to cut off the payload's end,
      text to append instead, a failed list's number or 0 for `failed`, and if it goes there the text before and after the payload, else ""
      and "". An entry that Airlift did not write has queue 0 and goes to failed whole. Then the failed lists' names, for each status what
      stands before its state if it is not there, and its text from the state on, for each lock the id that it must bear, and the worker ids
Returns {commands, 1, jobs that went to failed}; {commands, 0, 0}, and nothing was written, if the drain lives, was recovered by another, is pruned by
      Ruby, or its slots have changed; or the error of the command that Redis refused
Keeps: a payload is pushed to its queue's head or to failed, its status written and its lock freed, in the same step that empties its slot; in failed, what
      would break the entry's JSON (no JSON itself, or no UTF-8) is the argument of a MalformedPayload, each byte as a character. If a command is
      refused before the slots are empty, what was done before it is undone: tried again at each tick, it would double the jobs each time. What comes
      after that keeps no job from its queue.
Longer than 60 lines, because these steps are safe only together.
]]
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return {2, 0, 0} end
local nslots, nq, noccupied, nlists = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local most, nstatuses, nlocks, names = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[10]), 12 + 8 * noccupied
local firststatus = #KEYS - nq - nlists - nlocks - nstatuses + 1
local slots, deletes, ids, commands = {}, {}, {unpack(ARGV, #ARGV - nslots + 1)}, 4
-- Ruby has read what those workers hold whom it has not heard of; it writes that to failed, then takes it from them.
local beats = redis.call('EXISTS', KEYS[10]) == 1 and redis.call('HMGET', KEYS[3], unpack(ids)) or {}
commands = commands + math.min(#beats, 1)
for _, beat in ipairs(beats) do
  if beat and beat < ARGV[11] then return {commands - 1, 0, 0} end
end
for i = 12, firststatus - 1 do
  if i < 12 + nslots then slots[#slots + 1] = KEYS[i] end
  deletes[#deletes + 1] = KEYS[i]
end
local entries, occupied = redis.call('MGET', unpack(slots)), 0
for i = 1, nslots do occupied = occupied + (entries[i] and 1 or 0) end
if occupied ~= noccupied then return {commands, 0, 0} end
for i = 0, noccupied - 1 do
  local entry, head = entries[tonumber(ARGV[12 + 8 * i])], ARGV[13 + 8 * i]
  if not entry or string.sub(entry, 1, #head) ~= head then return {commands, 0, 0} end
end
-- include _is-json
-- include _malformed
local failures, failed, heads = {}, 0, {}
for i = noccupied - 1, 0, -1 do
  local at = 12 + 8 * i
  local entry, queue = entries[tonumber(ARGV[at])], tonumber(ARGV[at + 2])
  local payload = queue == 0 and entry or string.sub(entry, #ARGV[at + 1] + 1, -2 - ARGV[at + 3]) .. ARGV[at + 4]
  if ARGV[at + 6] == '' then
    heads[queue] = heads[queue] or {}
    table.insert(heads[queue], payload)
  else
    local list = tonumber(ARGV[at + 5])
    failures[list] = failures[list] or {}
    table.insert(failures[list], ARGV[at + 6] .. (queue > 0 and isjson(payload) and payload or malformed(payload, true)) .. ARGV[at + 7])
    failed = failed + 1
  end
end
local undo, given, long = {}, {}, {}
local function attempt(command, undoing)
  commands = commands + 1
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then error(reply) end
  undo[#undo + 1] = undoing
  return reply
end
local ok, problem = pcall(function()
  for i = 4, failed > 0 and 5 or 3 do attempt({'INCRBY', KEYS[i], failed}, {'INCRBY', KEYS[i], -failed}) end
  for list, entries in pairs(failures) do
    local key = list == 0 and KEYS[6] or KEYS[#KEYS - nq - nlists + list]
    local length = attempt({'RPUSH', key, unpack(entries)}, {'RPOP', key, #entries})
    if list > 0 then attempt({'SADD', KEYS[7], ARGV[names + list - 1]}) end
    if most > 0 and length > most then long[#long + 1] = key end
  end
  for queue, payloads in pairs(heads) do
    local key = KEYS[#KEYS - nq + queue]
    attempt({'LPUSH', key, unpack(payloads)}, {'LPOP', key, #payloads})
    given[key] = true
  end
  attempt({'DEL', unpack(deletes)})
end)
if not ok then
  for i = #undo, 1, -1 do redis.pcall(unpack(undo[i])) end
  return type(problem) == 'table' and problem or redis.error_reply(tostring(problem))
end
-- include _name-queues
-- What was cut off could not be taken back.
for _, key in ipairs(long) do redis.pcall('LTRIM', key, -most, -1) end
commands = commands + #long + name_queues(KEYS[11], given)
for i = 1, nstatuses do
  local key, at = KEYS[firststatus + i - 1], names + nlists + 2 * i - 2
  -- A status that cannot be written must not keep the jobs from their queues.
  local old = redis.pcall('GET', key)
  local text = (type(old) == 'string' and string.match(old, '^.-"state":') or ARGV[at] .. '"state":') .. ARGV[at + 1]
  redis.pcall('SET', key, text, unpack(tonumber(ARGV[9]) > 0 and {'PX', ARGV[9]} or {'XX', 'KEEPTTL'}))
  commands = commands + 2
end
local firstlock, firstid, over = firststatus + nstatuses, names + nlists + 2 * nstatuses, {}
local values = nlocks > 0 and redis.pcall('MGET', unpack(KEYS, firstlock, firstlock + nlocks - 1)) or {}
for i, value in ipairs(values) do
  local id = '.' .. ARGV[firstid + i - 1]
  if value and string.sub(value, -#id) == id then over[#over + 1] = KEYS[firstlock + i - 1] end
end
if #over > 0 then redis.pcall('DEL', unpack(over)) end
commands = commands + math.min(nlocks, 1) + math.min(#over, 1)
redis.call('SREM', KEYS[2], unpack(ids))
redis.call('HDEL', KEYS[3], unpack(ids))
redis.pcall('HDEL', KEYS[8], unpack(ids))
local places = {}
for i = 1, nslots do places[i] = string.match(ARGV[1], '"id":"([^"]*)"') .. '.' .. i - 1 end
redis.call('HDEL', KEYS[9], unpack(places))
redis.call('ZREM', KEYS[1], ARGV[1])
return {commands + 5, 1, failed}
