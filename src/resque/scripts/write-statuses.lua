--[[
write-statuses: writes the statuses of jobs that a drain holds, each only as long as it does.

KEYS  the jobs' slots, then their statuses
ARGV  for each job its claim's token, the TTL in ms, 1 if what the same claim has written before must stay, else 0, the status from its second
      member on
Returns {commands, number of statuses written}
Keeps: whoever holds a job writes its status and nobody else, so no late request can overwrite what came after. When the job was
      enqueued, the first member, is carried over from the status before.
]]
local jobs, commands, written = #KEYS / 2, 2, 0
local seen = redis.call('MGET', unpack(KEYS))
for i = 1, jobs do
  local mine, at = '"claim":"' .. ARGV[4 * i - 3] .. '"', 4 * i - 2
  local entry, old = seen[i] or '', seen[jobs + i] or ''
  local stays = ARGV[at + 1] == '1' and string.find(old, mine, 1, true)
  if string.sub(entry, 2, #mine + 1) == mine and not stays then
    redis.call('SET', KEYS[jobs + i], (string.match(old, '^{"enqueuedMs":%d+,') or '{') .. ARGV[at + 2], 'PX', ARGV[at])
    commands, written = commands + 1, written + 1
  end
end
return {commands, written}
