--[[
exchange, sixth part: puts what was claimed into the free slots and registers an opening drain. All writes of slots are one MSET, the last:
if any command before it is refused, nothing is in a slot yet, and what was popped goes back.
Longer than 60 lines, because the reply of all parts is here.
]]
local claims, writes, written, runs = {}, {}, {}, {}
local function fill()
  claim()
  local heads, last, lastqueue = {}, 0, 0
  for queue = 1, ntry do heads[queue] = '{"claim":"' .. token .. '",' .. ARGV[17 + queue] end
  for n = 1, #claimed do
    local slot, queue = free[n], from[n]
    written[slot] = true
    writes[#writes + 1] = KEYS[fence + slot]
    writes[#writes + 1] = heads[queue] .. claimed[n] .. '}'
    if held[n] then
      runs[#runs + 1] = ARGV[1] .. '.' .. rules.slots[slot]
      runs[#runs + 1] = held[n]
      places[runs[#runs - 1]] = nil
    end
    if slot == last + 1 and queue == lastqueue then
      claims[#claims] = claims[#claims] + 1
    else
      claims[#claims + 1] = slot
      claims[#claims + 1] = queue
      claims[#claims + 1] = 1
    end
    last, lastqueue = slot, queue
  end
  if opening and (#claims > 0 or #found > 0) then
    registered = 1
    call('ZADD', KEYS[5], string.format('%.0f', now() + ARGV[12]), ARGV[11])
    local workers, beats = {}, {}
    for i = ids, #ARGV do
      workers[#workers + 1] = ARGV[i]
      beats[#beats + 1] = ARGV[i]
      beats[#beats + 1] = ARGV[14]
    end
    call('SADD', KEYS[6], unpack(workers))
    call('HSET', KEYS[7], unpack(beats))
    for i = fence, #KEYS do
      if i == fence or i > fence + nslots + nlocks + nlists then
        writes[#writes + 1] = KEYS[i]
        writes[#writes + 1] = ARGV[13]
      end
    end
  end
  if #runs > 0 then call('HSET', KEYS[10], unpack(runs)) end
  keepstarts()
  if #writes > 0 then call('MSET', unpack(writes)) end
end

local ok, problem = pcall(fill)
if not ok then
  -- Nothing was written to a slot: the MSET comes last, and writes all or nothing.
  if popped and popped[2] then put(popped[1], popped[2]) end
  for n = #claimed, 1, -1 do put(KEYS[base + from[n]], {claimed[n]}) end
  for i = 1, #runs, 2 do gone[#gone + 1] = runs[i] end
  claimed, claims, written, asked = {}, {}, {}, 0
end
for i = 1, nsettle do
  if freed[i] and not written[i] then emptied[#emptied + 1] = KEYS[fence + i] end
end
if #emptied > 0 then call('DEL', unpack(emptied)) end
for _, i in ipairs(rules.ended or {}) do
  local field = ARGV[1] .. '.' .. rules.slots[i]
  if freed[i] and places[field] then gone[#gone + 1] = field end
end
if #gone > 0 then call('HDEL', KEYS[10], unpack(gone)) end
problem = ok and '' or type(problem) == 'table' and problem.err or tostring(problem)
for _, key in ipairs(ok and {} or try) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'list' and kind ~= 'none' then problem = problem .. ' (' .. key .. ' is a ' .. kind .. ')' end
end
local reply = {commands, registered, #claimed < asked and 1 or 0, paused, lost, claims, claimed, found, requeued, problem, holds and token or ''}
if picky then reply[12], reply[13], reply[14] = limited, math.ceil(frees), cursors end
return reply
