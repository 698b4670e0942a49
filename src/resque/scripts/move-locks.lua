--[[
move-locks: tells unique locks that their delayed jobs are due at another time.

KEYS  locks
ARGV  1 when the jobs are due now (s), then for each lock the id under which its job holds it
Returns {commands, locks that were changed}
Keeps: a lock that another job has taken meanwhile stays as it is. The lock outlives its job's time by as much as before.
]]
local commands, changed = 2, 0
for i, value in ipairs(redis.call('MGET', unpack(KEYS))) do
  local suffix = '.' .. ARGV[i + 1]
  local last, due, rest = string.match(value or '', '^(%d+)%.(%d+)(%..*)$')
  if due and string.sub(value, -#suffix) == suffix then
    local delta = tonumber(ARGV[1]) - tonumber(due)
    local ttl = math.max(redis.call('PTTL', KEYS[i]) + delta * 1000, 1000)
    redis.call('SET', KEYS[i], string.format('%.0f', last + delta) .. '.' .. ARGV[1] .. rest, 'PX', string.format('%.0f', ttl))
    commands, changed = commands + 2, changed + 1
  end
end
return {commands, changed}
