--[[
ack-job: settles a job that was detached, if it still waits for its lease to end.

KEYS  1 airlift:retries, 2 stat:processed, 3 stat:failed, 4 airlift:running, then, for a job that goes to a list, the list and the set that
      names it, then, if there are any, its unique lock and its status
ARGV  1 the payload up to where its ends differ, 2 and 3 the entry's text before and behind it, 4 1 if the attempt counts, else 0, 5 1 if it
      failed, else 0, 6 where it goes: failed, queue (the head), wait, or "", 7 and 8 the text before and behind the payload there, 9 most entries of
      the failed list or 0, or for how long it waits (ms), 10 the list's name for its set or "", 11 the id that the lock must bear or "", 12 the status
      from its second member on or "", 13 its TTL (ms)
Returns {commands, 1}; {commands, 0} if the entry is gone, as it was settled already or its lease has ended: then nothing was written
Keeps: nothing is taken before it has been written; if a command is refused, what was written before is taken back, and the error told. The first
      write is one that a full database refuses. What is tidied after that keeps nothing from being settled: a list that is too long, a place under
      a limit, which ends with the lease, a lock, which has its TTL, a status.
Longer than 60 lines, because these steps are safe only together.
]]
-- include _place-of
local entry, kind, rest, commands, undo = ARGV[2] .. ARGV[1] .. ARGV[3], ARGV[6], 5, 2, {}
if not redis.call('ZSCORE', KEYS[1], entry) then return {2, 0} end
local function attempt(...)
  commands = commands + 1
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  for i = #undo, 1, -1 do redis.call(unpack(undo[i])) end
  error(reply)
end
local function add(key, amount)
  attempt('INCRBY', key, amount)
  undo[#undo + 1] = {'INCRBY', key, -amount}
end
local excess = 0
local function settle()
  local text = ARGV[7] .. ARGV[1] .. ARGV[8]
  add(KEYS[2], ARGV[4])
  if ARGV[5] == '1' then add(KEYS[3], 1) end
  if kind == 'wait' then
    -- Who may not remove the entry below is refused here: nothing takes back what comes between.
    attempt('ZREM', KEYS[1], '')
    local time = attempt('TIME')
    attempt('ZADD', KEYS[1], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[9]), text)
  elseif kind ~= '' then
    rest = 7
    local isqueue = kind == 'queue'
    local length = attempt(isqueue and 'LPUSH' or 'RPUSH', KEYS[5], text)
    undo[#undo + 1] = {isqueue and 'LPOP' or 'RPOP', KEYS[5]}
    if ARGV[10] ~= '' then attempt('SADD', KEYS[6], ARGV[10]) end
    local most = isqueue and 0 or tonumber(ARGV[9])
    excess = most > 0 and length - most or 0
  end
  attempt('ZREM', KEYS[1], entry)
end
local settled, refusal = pcall(settle)
if not settled then return type(refusal) == 'table' and refusal or redis.error_reply(tostring(refusal)) end
if excess > 0 then
  redis.pcall('LTRIM', KEYS[5], excess, -1)
  commands = commands + 1
end
local place = place_of(ARGV[2])
if place then
  redis.pcall('HDEL', KEYS[4], place)
  commands = commands + 1
end
if ARGV[11] ~= '' then
  local value, id = redis.pcall('GET', KEYS[rest]), '.' .. ARGV[11]
  commands = commands + 1
  if type(value) == 'string' and string.sub(value, -#id) == id then
    redis.pcall('DEL', KEYS[rest])
    commands = commands + 1
  end
end
if ARGV[12] ~= '' then
  local key = KEYS[rest + (ARGV[11] == '' and 0 or 1)]
  local old = redis.pcall('GET', key)
  local head = type(old) == 'string' and string.match(old, '^{"enqueuedMs":%d+,') or '{'
  redis.pcall('SET', key, head .. ARGV[12], 'PX', ARGV[13])
  commands = commands + 2
end
return {commands, 1}
