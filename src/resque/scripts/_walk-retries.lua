--[[
walk(visit): hands members of airlift:retries to `visit`, one by one with their score, until it returns true or ARGV says so. A part of
scripts, put in by `-- include`.

ARGV  1 lowest score, 2 how many to pass over from there, 3 most members to look at, 4 most bytes to look at
Returns how many it has looked at, the commands it took, whether it has come to the end, and where it stands: a score, and how many of
      that score are behind it
]]
local function walk(visit)
  local most, room, looked, commands, size = tonumber(ARGV[3]), tonumber(ARGV[4]), 0, 0, 64
  local score, ties = ARGV[1], tonumber(ARGV[2])
  while looked < most and room > 0 do
    local count = math.min(size, most - looked)
    local chunk = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', ARGV[2] + looked, count)
    commands = commands + 1
    for i = 1, #chunk, 2 do
      if visit(chunk[i], chunk[i + 1]) then return looked, commands, false, score, ties end
      looked = looked + 1
      room = room - #chunk[i]
      ties = chunk[i + 1] == score and ties + 1 or 1
      score = chunk[i + 1]
    end
    if #chunk < 2 * count then return looked, commands, true, score, ties end
    size = 1000
  end
  return looked, commands, false, score, ties
end
local function id_of(member)
  return string.match(member, '^{"id":"([^"]*)"') or ''
end
