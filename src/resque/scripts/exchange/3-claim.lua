--[[
exchange, third part: which queues may be tried, and the jobs that they give. `claim` pops up to `want` payloads into `claimed`, the numbers of
their queues into `from`. Pops by LMPOP, or one LPOP for each queue before Redis 7.0; with known classes it looks before it pops.
Longer than 60 lines, because these are the ways of one thing.
]]
local all = seen[1] and string.match(string.lower(seen[1]), '^%s*true%s*$')
local paused, try, numbers = all and 1 or 0, {}, {}
for i = 1, ntry do
  numbers[KEYS[base + i]] = i
  if seen[2 + i] then paused = 1 elseif not all then try[#try + 1] = KEYS[base + i] end
end
local registered = seen[slot] and 1 or 0
local rules = ARGV[9] ~= '' and cjson.decode(ARGV[9]) or {}
local want = (registered == 1 or opening) and #try > 0 and #free or 0
local asked = #free
local claimed, from, size = {}, {}, 0
local function take(key, payloads)
  local keep = #payloads
  for n = 1, #payloads do
    size = size + #payloads[n]
    if size > room and #claimed + n > 1 then
      keep = n - 1
      break
    end
  end
  if keep < #payloads then
    local last = #payloads
    while last > keep do
      commands = commands + 1
      local pushed = redis.pcall('LPUSH', key, payloads[last])
      if type(pushed) == 'table' and pushed.err then keep = last end
      last = last - 1
    end
    want = #claimed + keep
    asked = want
  end
  for n = 1, keep do
    claimed[#claimed + 1] = payloads[n]
    from[#from + 1] = numbers[key]
  end
end
local known = {}
for _, class in ipairs(rules.classes or {}) do known[class] = true end
local function wanted(payload)
  local class = string.match(payload, '^{"class":"([^"\\]*)"')
  if not class then
    -- cjson refuses the escapes of half an emoji, which JavaScript writes
    local ok, job = pcall(cjson.decode, (string.gsub(payload, '\\u[dD][89a-fA-F]%x%x', '?')))
    class = ok and type(job) == 'table' and job.class
  end
  return type(class) ~= 'string' or known[class]
end
local function claim()
  if want > 0 and rules.classes then
    for _, key in ipairs(try) do
      local skipped, looked = 0, 0
      while #claimed < want and looked < limit do
        local window = call('LRANGE', key, skipped, skipped + math.max(want - #claimed, 100) - 1)
        if #window == 0 then break end
        looked = looked + #window
        local run = 0
        while skipped == 0 and run < math.min(#window, want - #claimed) and wanted(window[run + 1]) do run = run + 1 end
        if run > 0 then take(key, call('LPOP', key, run)) end
        for i = run + 1, #window do
          if #claimed == want then break end
          if wanted(window[i]) then
            call('LREM', key, 1, window[i])
            take(key, {window[i]})
          else
            skipped = skipped + 1
          end
        end
      end
    end
  elseif want > 0 and #try == 1 then
    take(try[1], call('LPOP', try[1], want) or {})
  elseif want > 0 then
    local args, popped = {#try}, nil
    for _, key in ipairs(try) do args[#args + 1] = key end
    args[#args + 1] = 'LEFT'
    args[#args + 1] = 'COUNT'
    repeat
      args[#try + 4] = want - #claimed
      commands = commands + 1
      popped = redis.pcall('LMPOP', unpack(args))
      if popped and popped.err then
        -- Redis before 7.0
        for _, key in ipairs(try) do
          if #claimed < want then take(key, call('LPOP', key, want - #claimed) or {}) end
        end
        break
      end
      if popped then take(popped[1], popped[2]) end
    until not popped or #claimed >= want
  end
end
