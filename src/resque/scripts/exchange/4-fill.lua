--[[
exchange, fourth part: puts what was claimed into the free slots and registers an opening drain. All writes of slots are one MSET, the last:
if any command before it is refused, nothing is in a slot yet, and what was popped goes back.
Longer than 60 lines, because the reply of all four parts is here.
]]
local claims, writes, written = {}, {}, {}
local function fill()
  claim()
  local starts, last, lastqueue = {}, 0, 0
  for queue = 1, ntry do starts[queue] = '{"claim":"' .. token .. '",' .. ARGV[17 + queue] end
  for n = 1, #claimed do
    local slot, queue = free[n], from[n]
    written[slot] = true
    writes[#writes + 1] = KEYS[fence + slot]
    writes[#writes + 1] = starts[queue] .. claimed[n] .. '}'
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
    local time = call('TIME')
    call('ZADD', KEYS[5], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[12]), ARGV[11])
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
  if #writes > 0 then call('MSET', unpack(writes)) end
end

local ok, problem = pcall(fill)
if not ok then
  -- Nothing was written to a slot: the MSET comes last, and writes all or nothing.
  for n = #claimed, 1, -1 do
    local pushed = redis.pcall('LPUSH', KEYS[base + from[n]], claimed[n])
    if type(pushed) == 'table' and pushed.err then call('RPUSH', KEYS[base + from[n]], claimed[n]) end
    commands = commands + 1
  end
  claimed, claims, written, asked = {}, {}, {}, 0
end
for i = 1, nsettle do
  if freed[i] and not written[i] then emptied[#emptied + 1] = KEYS[fence + i] end
end
if #emptied > 0 then call('DEL', unpack(emptied)) end
problem = ok and '' or type(problem) == 'table' and problem.err or tostring(problem)
for _, key in ipairs(ok and {} or try) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'list' and kind ~= 'none' then problem = problem .. ' (' .. key .. ' is a ' .. kind .. ')' end
end
return {commands, registered, #claimed < asked and 1 or 0, paused, lost, claims, claimed, found, requeued, problem, token}
