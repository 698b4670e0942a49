--[[
exchange, fourth part: keeps the places of jobs that are detached; then whether a job may start, and what its start changes. What the limits need is
read when the first job asks for it: who runs (airlift:running, `<drain>.<slot>` → `<class>\n<key>`; of a detached job `<id of its waiting entry>` →
`<class>\n<key>\n<its lease's end in ms>`), and who has started lately (airlift:starts, `<class>\n<key>` → JSON: a period, then instants and
counts by turns, in ms; `until` → when the key expires). A start counts from the end of the thousandth of its period that it falls into.
Longer than 60 lines, because the two limits are one decision.
]]
local moves = {}
for _, lease in ipairs(leases) do
  local _, name = read(lease[2])
  if name then moves[#moves + 1], moves[#moves + 2] = lease[1], name .. '\n' .. lease[3] end
end
kept, refusal = pcall(function() if #moves > 0 then attempt({'HSET', KEYS[10], unpack(moves)}) end end)
if not kept then return type(refusal) == 'table' and refusal or redis.error_reply(tostring(refusal)) end

local clock
local function now()
  if not clock then
    local time = call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

local busy, gone, places = nil, {}, {}
for i = 1, rules.slots and nslots or 0 do
  if freed[i] or not seen[slot + i] then places[ARGV[1] .. '.' .. rules.slots[i]] = true end
end
local function count()
  busy = {}
  local ends, drains = {}, call('ZRANGE', KEYS[5], 0, -1, 'WITHSCORES')
  -- A drain may have been silent only for a while: its jobs keep their places until it is recovered, if that is within one lease more.
  for i = 1, #drains, 2 do ends[string.match(drains[i], '"id":"([^"]*)"') or ''] = drains[i + 1] + ARGV[12] end
  ends[ARGV[1]] = math.huge
  local fields = call('HGETALL', KEYS[10])
  for i = 1, #fields, 2 do
    local field, name = fields[i], fields[i + 1]
    -- A slot's number follows a dot.
    local lease = string.match(field, '%-%d+$') and string.match(name, '\n(%d+)$')
    local till = tonumber(lease) or ends[string.match(field, '^(.*)%.') or '']
    if lease then name = string.sub(name, 1, -2 - #lease) end
    if not till or lease and till <= now() then
      gone[#gone % 1000 + 1] = field
    elseif till > now() and not places[field] then
      busy[name] = (busy[name] or 0) + 1
    end
  end
end

local rates, starts, expires, extra = {}, {}, 0, 0
local function readstarts(text)
  local ok, list = pcall(cjson.decode, text)
  ok = ok and type(list) == 'table' and #list % 2 == 1
  for _, number in ipairs(ok and list or none) do ok = ok and type(number) == 'number' end
  return ok and list
end
local function recall(names)
  for i, text in ipairs(call('HMGET', KEYS[11], unpack(names))) do
    local rate = rates[names[i]]
    if not rate then
      expires = tonumber(text or 0) or 0
    else
      local old, ms = readstarts(text or '[0]') or {0}, rate.limit.ms
      rate.list = {math.max(old[1], ms)}
      if not text then extra = extra + 2 end
      for j = 2, #old, 2 do
        if old[j] > now() - rate.list[1] then rate.list[#rate.list + 1], rate.list[#rate.list + 2] = old[j], old[j + 1] end
        if old[j] > now() - ms then rate.first, rate.sum = rate.first or old[j], rate.sum + old[j + 1] end
      end
    end
  end
end

local limited, frees, held, taken = 0, 0, {}, 0
local function may(class, name)
  if not class then return true end
  if rules.classes and not rules.classes[class] then return false end
  if off[class] then paused = 1 return false end
  local limit, rate = limits[class], rates[name]
  if limit.running and not busy then count() end
  if limit.running and (busy[name] or 0) >= limit.running then limited = 1 return false end
  if not rate or rate.sum < limit.jobs then return true end
  local wait = rate.first + limit.ms - now()
  limited, frees = 1, frees > 0 and math.min(frees, wait) or wait
  return false
end
local function start(class, name)
  local rate = rates[name]
  taken = taken + 1
  if limits[class].running then busy[name], held[taken] = (busy[name] or 0) + 1, name end
  if not rate then return end
  local list, part = rate.list, math.ceil(rate.limit.ms / 1000)
  -- now() is up to 1 ms ago
  local at = math.ceil((now() + 1) / part) * part
  if list[#list - 1] ~= at then list[#list + 1], list[#list + 2] = at, 0 end
  list[#list], rate.sum, rate.first, starts[name] = list[#list] + 1, rate.sum + 1, rate.first or at, list
end
local function keepstarts()
  local sets, latest = {}, 0
  for name, list in pairs(starts) do
    sets[#sets + 1], sets[#sets + 2] = name, cjson.encode(list)
    latest = math.max(latest, list[#list - 1] + list[1])
  end
  if #sets == 0 then return end
  -- as much later again, so that not every start has to move it
  local till = latest > expires and string.format('%.0f', 2 * latest - now())
  if till then sets[#sets + 1], sets[#sets + 2] = 'until', till end
  call('HSET', KEYS[11], unpack(sets))
  if till then call('PEXPIREAT', KEYS[11], till) end
  if extra == 0 then return end
  -- Two are looked at for each name that is new, so that those of long ago do not gather. Where a script has no such command, all go at last.
  commands = commands + 1
  local some, stale = redis.pcall('HRANDFIELD', KEYS[11], extra, 'WITHVALUES'), {}
  for i = 1, #some, 2 do
    local list = some[i] ~= 'until' and (readstarts(some[i + 1]) or {0})
    if list and (list[#list - 1] or 0) + list[1] <= now() then stale[#stale + 1] = some[i] end
  end
  if #stale > 0 then call('HDEL', KEYS[11], unpack(stale)) end
end
