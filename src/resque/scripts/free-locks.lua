--[[
free-locks: frees unique locks, those that are held by the given jobs.

KEYS  locks
ARGV  for each lock the id under which the job holds it; "" for a job that bears no id: it holds what node-resque wrote (a number alone), or
      a delayed job's lock once that is due, as another scheduler has put the job into its queue and dropped the id
Returns {commands, locks freed}
Keeps: a lock that another job has taken meanwhile stays.
]]
local values, freed, commands, now = redis.call('MGET', unpack(KEYS)), {}, 2, nil
for i, value in ipairs(values) do
  local id = ARGV[i]
  if value and id == '' and string.find(value, '.', 1, true) then
    local due = string.match(value, '^%d+%.(%d+)%.')
    if due and not now then
      now = tonumber(redis.call('TIME')[1])
      commands = commands + 1
    end
    -- node-resque rounds, and another host's clock may be ahead.
    if due and tonumber(due) <= now + 10 then freed[#freed + 1] = KEYS[i] end
  elseif value and (id == '' or string.sub(value, -#id - 1) == '.' .. id) then
    freed[#freed + 1] = KEYS[i]
  end
end
if #freed == 0 then return {commands, 0} end
redis.call('DEL', unpack(freed))
return {commands + 1, #freed}
