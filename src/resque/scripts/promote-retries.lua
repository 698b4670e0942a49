--[[
promote-retries: moves the jobs of `airlift:retries` that are due to the tails of their queues.

KEYS  5 airlift:retries, the others as in _queue-due, the last airlift:running
ARGV  1-4 as in _queue-due, 5 the text after a member in failed that Airlift did not write, 6 now (ms), or "" for what Redis' clock shows, 7 most members, then each queue's name
      as JSON
Returns {commands, promoted, failed, {names of queues that are not among KEYS, as JSON}, when the earliest that is left is due (ms) or "",
      now}; or the error of the command that Redis refused: then nothing has changed
Keeps: a payload is the member's text from behind its first `,"payload":` to the brace that closes it; no text before can hold that. A place
      under a limit that a detached job held goes with its member; should Redis refuse that alone, it ends with the lease.
]]
-- include _queue-due
-- include _place-of
local numbers, unknown, names, done, places = {}, {}, {}, {}, {}
-- Whether a client can name the queue by it: text in JSON, that is UTF-8. Airlift writes no other.
local function istext(name)
  return isjson('[' .. name .. ']') and string.find(string.gsub(name, '\\.', ''), '^"[^"]*"$')
end
for i = 1, nq do numbers[ARGV[7 + i]] = i end
local now = ARGV[6]
if now == '' then
  local time = call('TIME')
  now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
for _, member in ipairs(call('ZRANGEBYSCORE', KEYS[5], '-inf', now, 'LIMIT', 0, ARGV[7])) do
  local name = string.match(member, '^{"id":"[^"]*","queue":(".-"),"')
  local _, head = string.find(member, ',"payload":', 1, true)
  local taken = true
  if name and numbers[name] and head and string.sub(member, -1) == '}' then
    promote(numbers[name], string.sub(member, head + 1, -2))
  elseif not name or not istext(name) or not head or string.sub(member, -1) ~= '}' then
    fail(member, ARGV[5], false)
  else
    if not unknown[name] then names[#names + 1] = name end
    unknown[name], taken = true, false
  end
  if taken then done[#done + 1], places[#places + 1] = member, place_of(member) end
end
local problem = move(function()
  if #done > 0 then call('ZREM', KEYS[5], unpack(done)) end
end)
if problem then return problem end
if #places > 0 then
  redis.pcall('HDEL', KEYS[#KEYS], unpack(places))
  commands = commands + 1
end
return {commands + 1, promoted, #failures, names, redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2] or '', now}
