--[[
walk(visit): hands entries of the list KEYS[1] to `visit`, one by one with their index, until it returns true or ARGV says so. A part of
scripts, put in by `-- include`.

ARGV  1 h: towards the head, from the entry before index 2 on; t: towards the head, passing over the last 2 entries; u: towards the tail, from
      index 2 on. 2 see 1, 3 most entries to look at, 4 most bytes to look at
Returns the list's length, how many entries it has looked at, and the commands it took
]]
local function walk(visit)
  local len, commands = redis.call('LLEN', KEYS[1]), 1
  local mode, at, most, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
  local looked, size = 0, 64
  at = mode == 't' and len - at or math.min(at, len)
  while looked < most and room > 0 do
    local low, high = at, math.min(len, at + math.min(size, most - looked))
    if mode ~= 'u' then low, high = math.max(0, at - math.min(size, most - looked)), at end
    if low >= high then break end
    local chunk, bytes = redis.call('LRANGE', KEYS[1], low, high - 1), 0
    commands = commands + 1
    for i = 1, #chunk do
      local j = mode == 'u' and i or #chunk + 1 - i
      if visit(chunk[j], low + j - 1) then return len, looked, commands end
      looked = looked + 1
      bytes = bytes + #chunk[j]
    end
    room = room - bytes
    at = mode == 'u' and high or low
    -- About a megabyte at a time, whatever the size of an entry.
    size = math.max(1, math.min(1000, math.floor(1000000 * #chunk / (bytes + 1))))
  end
  return len, looked, commands
end
