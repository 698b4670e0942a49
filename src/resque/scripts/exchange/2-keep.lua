--[[
exchange, second part: writes what was settled: the counters first, then what waits or has failed, then what goes back to a queue. If a command is
refused, what was written before it is taken back, and the script ends with the refusal: the slots still hold their jobs.
]]
local token = ARGV[1] .. '.' .. ARGV[2] .. '.' .. string.format('%.0f', call('INCRBY', KEYS[2], done))
local undo = {{'INCRBY', KEYS[2], -done}}
local function attempt(command, undoing)
  commands = commands + 1
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply.err then
    for _, undone in ipairs(undo) do redis.pcall(unpack(undone)) end
    error(reply)
  end
  undo[#undo + 1] = undoing
  return reply
end
-- include _name-queues
local requeued = {}
local function keep()
  if #waits > 0 then
    local removal = {'ZREM', KEYS[8]}
    for i = 2, #waits, 2 do removal[#removal + 1] = waits[i] end
    attempt({'ZADD', KEYS[8], unpack(waits)}, removal)
  end
  local names, most, long = {}, tonumber(ARGV[17]), {}
  for list, entries in pairs(failures) do
    local key = list == 0 and KEYS[4] or KEYS[fence + nslots + nlocks + list]
    if list > 0 then names[#names + 1] = ARGV[at + 2 * nlocks + list - 1] end
    local length = attempt({'RPUSH', key, unpack(entries)}, {'RPOP', key, #entries})
    if most > 0 and length > most then long[#long + 1] = key end
  end
  if #names > 0 then attempt({'SADD', KEYS[12], unpack(names)}) end
  if failed > 0 then attempt({'INCRBY', KEYS[3], failed}, {'INCRBY', KEYS[3], -failed}) end
  local given = {}
  for queue, payloads in pairs(heads) do
    local reversed = {}
    given[KEYS[base + queue]] = true
    for i = #payloads, 1, -1 do reversed[#reversed + 1] = payloads[i] end
    attempt({'LPUSH', KEYS[base + queue], unpack(reversed)}, {'LPOP', KEYS[base + queue], #payloads})
  end
  for queue, payloads in pairs(tails) do
    given[KEYS[base + queue]] = true
    requeued[#requeued + 1] = queue
    requeued[#requeued + 1] =
      attempt({'RPUSH', KEYS[base + queue], unpack(payloads)}, {'RPOP', KEYS[base + queue], #payloads}) - #payloads
  end
  for _, key in ipairs(long) do attempt({'LTRIM', key, -most, -1}) end
  commands = commands + name_queues(KEYS[13], given)
end
local kept, refusal = pcall(keep)
if not kept then return type(refusal) == 'table' and refusal or redis.error_reply(tostring(refusal)) end
local emptied = {}
for i = 0, nlocks - 1 do
  local value, id = seen[slot + nslots + i + 1], '.' .. ARGV[at + 2 * i + 1]
  if value and string.sub(value, -#id) == id and freed[tonumber(ARGV[at + 2 * i])] then emptied[#emptied + 1] = KEYS[fence + nslots + i + 1] end
end
local names = at + 2 * nlocks
local ids = names + nlists
