--[[
retry-failed: puts the payloads of failed entries, byte for byte, at the tails of queues and marks the entries as retried, if they are still
there as they were read.

KEYS  1 the failed list, 2 queues, then the queues to push to
ARGV  1-4 as walk has them: where the entries were seen; 5 retried_at as JSON, 6 number of queues, their names, then for each entry its id
      (SHA-1 of its bytes), how many alike to retry, the number of its queue
Returns {commands, {for each id how many were retried}, an error of a queue that took none of its jobs, or ""}
Keeps: an entry is marked in the step that pushes its payload. The first write is one that a full database refuses; what a queue
      refuses is unmarked again. Other bytes of an entry than the mark stay as they are.
]]
-- include _walk-list
-- include _json-members
local nq, commands = tonumber(ARGV[6]), 1
local wanted, names, retried, pushes, problem = {}, {}, {}, {}, ''
for i = 7 + nq, #ARGV, 3 do
  wanted[ARGV[i]] = {#retried + 1, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])}
  retried[#retried + 1] = 0
end
local function call(...)
  commands = commands + 1
  return redis.call(...)
end
local _, _, walked = walk(function(text, index)
  local entry = wanted[redis.sha1hex(text)]
  if not entry or entry[2] == 0 then return end
  local spans, brace = members(text)
  local payload, mark = spans.payload, spans.retried_at
  if not payload then return end
  entry[2] = entry[2] - 1
  local before, after = string.sub(text, 1, brace - 1) .. ',"retried_at":', string.sub(text, brace)
  if mark then before, after = string.sub(text, 1, mark[1] - 1), string.sub(text, mark[2] + 1) end
  local push = pushes[entry[3]] or {}
  pushes[entry[3]] = push
  table.insert(push, 1, {entry[1], index, text, before .. ARGV[5] .. after, string.sub(text, payload[1], payload[2])})
end)
for queue in pairs(pushes) do names[#names + 1] = ARGV[6 + queue] end
if #names > 0 then call('SADD', KEYS[2], unpack(names)) end
for queue, push in pairs(pushes) do
  local payloads = {}
  for i, entry in ipairs(push) do
    call('LSET', KEYS[1], entry[2], entry[4])
    payloads[i] = entry[5]
  end
  commands = commands + 1
  local pushed = redis.pcall('RPUSH', KEYS[2 + queue], unpack(payloads))
  local isrefused = type(pushed) == 'table' and pushed.err
  if isrefused then problem = pushed.err end
  for _, entry in ipairs(push) do
    if isrefused then call('LSET', KEYS[1], entry[2], entry[3]) else retried[entry[1]] = retried[entry[1]] + 1 end
  end
end
return {commands + walked, retried, problem}
