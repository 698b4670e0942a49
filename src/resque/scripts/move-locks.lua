--[[
move-locks: tells unique locks, and statuses, that their delayed jobs are due at another time.

KEYS  locks and statuses
ARGV  1 when the jobs are due now (s), then for each lock the id under which its job holds it, for each status ""
Returns {commands, locks and statuses that were changed}
Keeps: a lock that another job has taken meanwhile stays as it is, and so does the status of a job that waits for its time no more. Both
      outlive their job's time by as much as before.
]]
local commands, changed = 2, 0
local function write(key, value, deltams)
  local ttl = math.max(redis.call('PTTL', key) + deltams, 1000)
  redis.call('SET', key, value, 'PX', string.format('%.0f', ttl))
  commands, changed = commands + 2, changed + 1
end
for i, value in ipairs(redis.call('MGET', unpack(KEYS))) do
  local suffix = '.' .. ARGV[i + 1]
  local last, due, rest = string.match(value or '', '^(%d+)%.(%d+)(%..*)$')
  if due and string.sub(value, -#suffix) == suffix then
    local delta = tonumber(ARGV[1]) - tonumber(due)
    write(KEYS[i], string.format('%.0f', last + delta) .. '.' .. ARGV[1] .. rest, delta * 1000)
  end
  local head, duems = string.match(value or '', '^({.*"state":"delayed","dueMs":)(%d+)}$')
  if head then write(KEYS[i], head .. ARGV[1] .. '000}', ARGV[1] * 1000 - duems) end
end
return {commands, changed}
