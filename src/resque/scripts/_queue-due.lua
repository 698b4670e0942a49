--[[
What the two scripts that promote share: `tails` and `failures` are gathered, then `move(remove)` writes both and takes the jobs from
where they waited. A part of scripts, put in by `-- include`.

KEYS  1 queues, 2 failed, 3 stat:processed, 4 stat:failed, 5 what the script itself needs, then Q queues
ARGV  1 Q, 2 bytes of the keys' common prefix, 3 the text before a payload in failed, 4 the text after one whose queue's key is no list, up to
      the queue's name
Keeps: nothing is taken before it has been written; if a command is refused, what was written before is taken back, and the error told.
Longer than 60 lines, because writing and taking back belong together.
]]
local nq, prefix = tonumber(ARGV[1]), tonumber(ARGV[2])
local commands, promoted, tails, failures, undo = 1, 0, {}, {}, {}
local function call(...)
  commands = commands + 1
  return redis.call(...)
end
-- include _is-json
-- include _malformed
local function fail(payload, after, isjob)
  local binary = isbinary(payload)
  if binary or not isjob or not isjson(payload) then
    payload = malformed(payload, binary)
  end
  failures[#failures + 1] = ARGV[3] .. payload .. after
end
local function promote(queue, payload)
  tails[queue] = tails[queue] or {}
  table.insert(tails[queue], payload)
end
local function push()
  local names = {}
  for queue in pairs(tails) do names[#names + 1] = string.sub(KEYS[5 + queue], prefix + 7) end
  if #names > 0 then call('SADD', KEYS[1], unpack(names)) end
  for queue, payloads in pairs(tails) do
    commands = commands + 1
    local reply = redis.pcall('RPUSH', KEYS[5 + queue], unpack(payloads))
    if type(reply) == 'number' then
      undo[#undo + 1] = {'RPOP', KEYS[5 + queue], #payloads}
      promoted = promoted + #payloads
    elseif string.find(reply.err, 'WRONGTYPE', 1, true) then
      local after = ARGV[4] .. cjson.encode(string.sub(KEYS[5 + queue], prefix + 7)) .. '}'
      for _, payload in ipairs(payloads) do fail(payload, after, true) end
    else
      error(reply)
    end
  end
  if #failures == 0 then return end
  call('RPUSH', KEYS[2], unpack(failures))
  undo[#undo + 1] = {'RPOP', KEYS[2], #failures}
  for i = 3, 4 do
    call('INCRBY', KEYS[i], #failures)
    undo[#undo + 1] = {'INCRBY', KEYS[i], -#failures}
  end
end
local function move(remove)
  local ok, problem = pcall(function()
    push()
    remove()
  end)
  if ok then return nil end
  for _, command in ipairs(undo) do redis.pcall(unpack(command)) end
  return type(problem) == 'table' and problem or redis.error_reply(tostring(problem))
end
