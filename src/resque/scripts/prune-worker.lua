--[[
prune-worker: removes a worker that is dead, as Ruby Resque does it: the job that it held goes to failed.

KEYS  1 workers, 2 workers:heartbeat, 3 worker:<id>, 4 the failed list, 5 failed_queues, then every other key of the worker
ARGV  1 its id, 2 the heartbeat as read, or "", 3 the failed entry's text up to its payload, 4 that between payload and queue, 5 a queue's name
      as JSON, for an entry that has none, 6 the name of the failed list if it is of one queue, else ""
Returns {commands, 1 if it was pruned, 1 if a job went to failed}; {commands, 0, 0} if it was not there, or has shown a sign of life since it was read
Keeps: the payload's bytes, if it is an object; an entry without one, or that is no JSON, goes to failed as the argument of a MalformedPayload, each
      byte that is not ASCII as a character.
]]
-- include _json-members
-- include _is-json
-- include _malformed
if (redis.call('HGET', KEYS[2], ARGV[1]) or '') ~= ARGV[2] then return {2, 0, 0} end
local entry = redis.call('GET', KEYS[3])
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return {4, 0, 0} end
local commands = 7
if entry then
  local spans = isjson(entry) and members(entry) or {}
  local payload, queue = spans.payload, spans.queue
  payload = payload and string.sub(entry, payload[1], payload[2])
  if not payload or string.sub(payload, 1, 1) ~= '{' then
    payload = malformed(entry, true)
  end
  if ARGV[6] ~= '' then redis.call('SADD', KEYS[5], ARGV[6]) end
  redis.call('RPUSH', KEYS[4], ARGV[3] .. payload .. ARGV[4] .. (queue and string.sub(entry, queue[1], queue[2]) or ARGV[5]) .. '}')
  commands = commands + (ARGV[6] ~= '' and 2 or 1)
end
redis.call('SREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3], unpack(KEYS, 6))
return {commands, 1, entry and 1 or 0}
