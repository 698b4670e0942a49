--[[
replace-waiting: puts a unique job in the place of the one that waits under its lock, in its queue or among the delayed.

KEYS  1 the lock, 2 the queue, and if the waiting job is delayed 3 its list, 4 timestamps:<its item>, 5 timestamps:<the new item>
ARGV  1 the lock's value as read, 2 its new value, 3 its TTL in ms, 4 the new payload, 5 the new item, 6 the waiting item, 7 `delayed:<seconds>`,
      then the payloads that the waiting job may have in its queue
Returns {commands, 2} if it was replaced in its queue, {commands, 3} if among the delayed; {commands, 0} if it does not wait any more,
      {commands, -1} if the lock is not as it was read; then nothing was written. Or the error of the command that Redis refused
Keeps: the lock names the job that waits; what was done before a refused command is undone.
]]
local commands, undo = 1, {}
local function call(...)
  commands = commands + 1
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then error(reply) end
  return reply
end
local function swap(list, old, new)
  local index = call('LPOS', list, old)
  if not index then return false end
  call('LSET', list, index, new)
  undo[#undo + 1] = {'LSET', list, index, old}
  return true
end
local ok, result = pcall(function()
  if call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
  local place = 0
  if KEYS[3] and swap(KEYS[3], ARGV[6], ARGV[5]) then
    place = 3
    call('SADD', KEYS[5], ARGV[7])
    undo[#undo + 1] = {'SREM', KEYS[5], ARGV[7]}
    call('SREM', KEYS[4], ARGV[7])
    undo[#undo + 1] = {'SADD', KEYS[4], ARGV[7]}
  end
  for i = 8, #ARGV do
    if place == 0 and swap(KEYS[2], ARGV[i], ARGV[4]) then place = 2 end
  end
  if place > 0 then call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
  return place
end)
if ok then return {commands, result} end
for i = #undo, 1, -1 do redis.pcall(unpack(undo[i])) end
return result.err and result or redis.error_reply(result)
