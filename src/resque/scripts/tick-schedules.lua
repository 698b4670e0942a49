--[[
tick-schedules: enqueues the jobs of schedules that have come due, each tick once.

KEYS  1 airlift:cron, 2 queues, 3 delayed:last_enqueued_at, 4 the lock of Ruby's scheduler, the queues, then locks of unique jobs
ARGV  1 text for delayed:last_enqueued_at, 2 number of queues, their names, then for each schedule: name, state as it was read ('' for
      none), state to come ('' for none), 1 if it is one of persistent_schedules, queue (0 if it has no jobs), number of jobs, and for
      each of these its payload and its lock (0 for none), with a lock also the lock's value and its TTL in ms
Returns {commands, {for each schedule 1 done, 0 somebody else has changed it or Ruby's scheduler leads it, or why Redis refused it},
      {schedule and number of a job that was dropped because another holds its lock, …}}
Keeps: a schedule's state changes in the same step that enqueues its jobs. If Redis refuses one of them, the schedule's state is put
      back and its locks are freed; the others go on.
Longer than 60 lines, because these steps are safe only together.
]]
local commands, nq = 2, tonumber(ARGV[2])
local at, schedules, names, result, dropped = 3 + nq, {}, {}, {}, {}
while at <= #ARGV do
  local schedule = {
    name = ARGV[at], before = ARGV[at + 1], after = ARGV[at + 2], isruby = ARGV[at + 3] == '1', queue = tonumber(ARGV[at + 4]),
    jobs = {}, locks = {},
  }
  local count = tonumber(ARGV[at + 5])
  at = at + 6
  for i = 1, count do
    local job = {payload = ARGV[at], lock = tonumber(ARGV[at + 1])}
    at = at + 2
    if job.lock > 0 then
      job.value, job.ttl = ARGV[at], ARGV[at + 1]
      at = at + 2
    end
    schedule.jobs[i] = job
  end
  schedules[#schedules + 1] = schedule
  names[#names + 1] = schedule.name
end
local states, rubyleads = redis.call('HMGET', KEYS[1], unpack(names)), nil
local after, gone, queues, payloads, queuenames = {}, {}, {}, {}, {}
for i, schedule in ipairs(schedules) do
  if schedule.isruby and rubyleads == nil then
    rubyleads = redis.call('EXISTS', KEYS[4]) == 1
    commands = commands + 1
  end
  result[i] = 0
  if (states[i] or '') == schedule.before and not (schedule.isruby and rubyleads) then
    result[i] = 1
    if schedule.after == '' then
      gone[#gone + 1] = schedule.name
    else
      after[#after + 1] = schedule.name
      after[#after + 1] = schedule.after
    end
    if #schedule.jobs > 0 and not payloads[schedule.queue] then
      payloads[schedule.queue] = {}
      queues[#queues + 1] = schedule.queue
      queuenames[#queuenames + 1] = ARGV[2 + schedule.queue]
    end
  end
end
if #queues > 0 then redis.call('SADD', KEYS[2], unpack(queuenames)) end
if #after > 0 then redis.call('HSET', KEYS[1], unpack(after)) end
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
commands = commands + math.min(#queues, 1) + math.min(#after, 1) + math.min(#gone, 1)
local function undo(i, why)
  local schedule = schedules[i]
  result[i] = why
  if schedule.before == '' then redis.call('HDEL', KEYS[1], schedule.name)
  else redis.call('HSET', KEYS[1], schedule.name, schedule.before) end
  if #schedule.locks > 0 then redis.call('DEL', unpack(schedule.locks)) end
  commands = commands + 1 + math.min(#schedule.locks, 1)
end
for i, schedule in ipairs(schedules) do
  local accepted = {}
  for number, job in ipairs(schedule.jobs) do
    local taken = result[i] == 1
    if taken and job.lock > 0 then
      local key = KEYS[4 + nq + job.lock]
      taken = redis.pcall('SET', key, job.value, 'PX', job.ttl, 'NX')
      commands = commands + 1
      if taken and taken.err then
        undo(i, taken.err)
      elseif taken then
        schedule.locks[#schedule.locks + 1] = key
      else
        dropped[#dropped + 1] = i
        dropped[#dropped + 1] = number
      end
    end
    if taken then accepted[#accepted + 1] = job.payload end
  end
  if result[i] == 1 then
    for _, payload in ipairs(accepted) do table.insert(payloads[schedule.queue], payload) end
  end
end
for _, queue in ipairs(queues) do
  local reply = nil
  if #payloads[queue] > 0 then
    reply = redis.pcall('RPUSH', KEYS[4 + queue], unpack(payloads[queue]))
    commands = commands + 1
  end
  for i, schedule in ipairs(schedules) do
    if type(reply) == 'table' and result[i] == 1 and schedule.queue == queue then undo(i, reply.err) end
  end
end
local enqueued = {}
for i, schedule in ipairs(schedules) do
  if result[i] == 1 and #schedule.jobs > 0 then
    enqueued[#enqueued + 1] = schedule.name
    enqueued[#enqueued + 1] = ARGV[1]
  end
end
if #enqueued > 0 then
  -- Only for people: if it is refused, the jobs are enqueued all the same.
  redis.pcall('HSET', KEYS[3], unpack(enqueued))
  commands = commands + 1
end
return {commands, result, dropped}
