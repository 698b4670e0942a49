--[[
exchange, fifth part: takes from the queues, in order, what may start, up to `want` payloads into `claimed`, the numbers of their queues into `from`. Pops
by LMPOP, or by one LPOP for each queue before Redis 7.0. What may not start goes back to where it was; then so many payloads as ARGV 10 says
are looked at behind it, from `past` on where earlier exchanges have looked so far, and no job is taken whose name stays before it. Those taken
leave by one LPOP, what stands between them going back, or by an LREM each where that is cheaper, or the way back to the head is long.
Longer than 60 lines, because these are the ways of one thing.
]]
local asked, size, claimed, from, cursors, popped = #free, 0, {}, {}, {}, nil
local function put(key, payloads)
  local chunk, bytes = {}, 0
  for n = #payloads, 1, -1 do
    bytes = bytes + #payloads[n]
    chunk[#chunk + 1] = payloads[n]
    -- a command has a size that a host allows
    if n == 1 or bytes + #payloads[n - 1] > room then
      commands = commands + 1
      local pushed = redis.pcall('LPUSH', key, unpack(chunk))
      if type(pushed) == 'table' and pushed.err then call('RPUSH', key, unpack(chunk)) end
      chunk, bytes = {}, 0
    end
  end
end
local function add(key, payload)
  claimed[#claimed + 1] = payload
  from[#from + 1] = numbers[key]
end
-- Which of the payloads may be taken, the others, and how far it looked.
local function sift(payloads, passed)
  local classes, names, ask, chosen, stays, reached = {}, {}, {'until'}, {}, {}, #payloads
  for n, payload in ipairs(picky and payloads or {}) do
    local class, name = read(payload)
    classes[n], names[n] = class, name
    if limits[class].jobs and not rates[name] then
      rates[name] = {limit = limits[class], sum = 0}
      ask[#ask + 1] = name
    end
  end
  if #ask > 1 then recall(ask) end
  for n, payload in ipairs(payloads) do
    local class, name = classes[n], names[n]
    local goes = taken < want and not passed[name] and may(class, name)
    if goes and taken > 0 and size + #payload > room then goes, want, asked = false, taken, taken end
    if goes then
      start(class, name)
      size = size + #payload
      chosen[#chosen + 1] = n
      if taken == want then reached = n end
    else
      stays[#stays + 1] = payload
      if taken < want then passed[name] = true end
    end
  end
  return chosen, stays, reached
end
local function take(key)
  local passed, payloads = {}, popped[2]
  local chosen, stays = sift(payloads, passed)
  for _, n in ipairs(chosen) do add(key, payloads[n]) end
  popped[2] = stays
  if #stays == 0 then return end
  if taken < want then
    local past = rules.past and rules.past[numbers[key] .. ''] or {0}
    local first = math.max(0, past[1] - #payloads)
    for i = 2, #past do passed[past[i]] = true end
    local depth, window = first + #stays, call('LRANGE', key, first, first + limit - 1)
    local picks, rest, reached = sift(window, passed)
    if first == 0 and #picks > 1 then
      local last = picks[#picks]
      call('LPOP', key, last)
      for n = 1, last - #picks do stays[#stays + 1] = rest[n] end
    end
    for _, n in ipairs(picks) do
      if first > 0 or #picks == 1 then call('LREM', key, 1, window[n]) end
      add(key, window[n])
    end
    if reached == limit or first > 0 and reached < #window then
      local cursor = {numbers[key], depth + reached - #picks}
      for name in pairs(passed) do cursor[#cursor + 1] = name end
      cursors[#cursors + 1] = cursor
    end
  end
  popped = nil
  put(key, stays)
end
local function claim()
  if lease and holds and ARGV[names - 1] ~= '' then call('PEXPIRE', lease, ARGV[names - 1]) end
  local at, isold = 1, false
  while taken < want and at <= #try do
    popped = nil
    if at < #try and not isold then
      local args = {#try - at + 1, unpack(try, at)}
      args[#args + 1], args[#args + 2] = 'LEFT', 'COUNT'
      args[#args + 1] = want - taken
      commands = commands + 1
      popped = redis.pcall('LMPOP', unpack(args))
      if not popped then return end
      -- Redis before 7.0
      isold = popped.err
    end
    if not popped or isold then popped = {try[at], call('LPOP', try[at], want - taken) or {}} end
    local key = popped[1]
    while try[at] ~= key do at = at + 1 end
    at = at + 1
    take(key)
  end
end
