--[[
exchange, third part: which queues may be tried, and of what class and key a payload is.
ARGV 9 is JSON: {classes: {class: 1}, limits: {class: {running, jobs, ms, by: [index from 1 or name, …]}}, slots: [number of each slot], ended: [which
of the slots to settle may hold a place], past: {queue's number: [depth, name, …]} (5-claim.lua)}, each of them only if there is something to tell.
]]
local all = seen[1] and string.match(string.lower(seen[1]), '^%s*true%s*$')
local paused, try, numbers = all and 1 or 0, {}, {}
for i = 1, ntry do
  numbers[KEYS[base + i]] = i
  if seen[2 + i] then paused = 1 elseif not all then try[#try + 1] = KEYS[base + i] end
end
local registered = seen[slot] and 1 or 0
local lease = nlocks > 0 and ARGV[names - 2] == '0' and KEYS[fence + nslots + nlocks]
local holds = not lease or seen[slot + nslots + nlocks] == ARGV[1]
local want = holds and (registered == 1 or opening) and #try > 0 and #free or 0
local rules = ARGV[9] ~= '' and cjson.decode(ARGV[9]) or {}
local none, off = {}, {}
local limits = setmetatable(rules.limits or {}, {__index = function() return none end})
local isread, classes = pcall(cjson.decode, seen[2] or '[]')
for _, class in ipairs(isread and type(classes) == 'table' and classes or {}) do off[class] = true end
local picky = rules.classes or rules.limits or next(off)

-- include _decode-json
local wrapper = 'ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper'
-- The class of a job and the name that its limits count it under; nothing if it is no job.
local function read(payload)
  local class = string.match(payload, '^{"class":"([^"\\]*)"')
  -- A second class, in whatever letters, would be the one that counts.
  local isonly = class and not string.find(payload, '"class"', 9, true) and not string.find(payload, '\\u00[67]')
  if isonly and class ~= wrapper and not limits[class].by then return class, class .. '\n' end
  local ok, job = decode(payload)
  -- Nested too deeply for Lua, or no job at all.
  if not ok then return class, class and class .. '\n' end
  if type(job) ~= 'table' then return end
  class = job.class
  local value = job.args
  local inner = class == wrapper and type(value) == 'table' and value[1]
  if type(inner) == 'table' and type(inner.job_class) == 'string' then class, value = inner.job_class, inner.arguments end
  if type(class) ~= 'string' then return end
  for _, step in ipairs(limits[class].by or none) do value = type(value) == 'table' and value[step] end
  if type(value) == 'number' then value = string.format('%.17g', value) end
  if type(value) ~= 'string' then value = '' end
  return class, class .. '\n' .. (#value > 64 and redis.sha1hex(value) or value)
end
