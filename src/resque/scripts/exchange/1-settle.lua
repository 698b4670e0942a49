--[[
exchange: settles the slots that have finished and fills the slots that are free, in one step.

KEYS  1 pause-all-workers, 2 stat:processed, 3 stat:failed, 4 failed, 5 airlift:drains, 6 workers, 7 workers:heartbeat,
      8 airlift:retries, 9 airlift:paused-classes, 10 airlift:running, 11 airlift:starts, 12 failed_queues, 13 queues, then Q queues (those
      to try first, in order), their Q pause keys, the fence (the :started key of the drain's slot 0), S slots (those to settle first, those to
      fill last), L unique locks, F failed lists of single queues, and in an opening call the :started keys of all slots but slot 0
ARGV  1 drain id, 2 seq.attempt, 3 Q, 4 queues to try, 5 S, 6 slots to settle, 7 first slot to fill, 8 most payload bytes to claim,
      9 rules for claiming as JSON or "" (3-rules.lua), 10 most payloads of a queue to look at behind those that may not start,
      11 the drain's description in an opening call, else "", 12 lease in ms, 13 started text, 14 heartbeat text, 15 L, 16 F,
      17 most entries of a failed list or 0, then for each queue the entry's JSON from `"queue"` to `"payload":`;
      for each slot to settle its token after the drain's id, a kind, and what the kind needs: o (done) for how many slots from here
      on; x (failed, kept nowhere) nothing; f, m, b (failed; m: the payload is no job, b: nor UTF-8) the text before and after the payload, a failed
      list's number or 0 for `failed`, bytes to cut off the payload's end, text to append instead; w (waits) the text before the payload,
      due (ms), bytes to cut off, text to append, 1 if the attempt counts; r (to the queue's head), q (to its tail) the queue's number;
      for each lock the number of its slot among those to settle, the id that it must bear, or, for the lease of a single drain, which comes
      last, 0 and for how long to renew it (ms) or ""; the failed lists' names; in an opening call the worker ids
Returns {commands, registered, drained, paused (0 or 1 each), {lost: settlement, …}, {claimed: first slot, queue,
      number, …}, {their payloads}, {found in a slot: slot, entry, …}, {requeued: queue, jobs before them, …}, an error while filling or "",
      the token of the new claims, "" if the single drain's lease is not this drain's}, all numbers from 1; with rules or a paused class
      also 1 if a limit holds jobs back, after how many ms the first rate lets one start or 0, {how far it looked behind those that may not
      start, if not to the end: {queue, depth, name, …}, …}
Keeps: a slot's entry changes only by the token that it bears; an occupied slot is told, never overwritten; what leaves a queue is
      in a slot when the script ends, or back in the queue if a command of the filling is refused; a drain claims only while its
      fence stands, a single one only while the lease bears its id. A token ends in the count of processed jobs: should the same
      request be executed again, late, after the job that it claimed has ended, it claims under another token, and nothing that was
      meant for the first job can end the second. The first write is one that a full database refuses, so that all is refused or nothing.
In six files, whose texts follow each other: what is settled, its writing, rules, limits, claiming, filling. Longer than 60 lines, because these are
safe only together.
]]
local commands = 1
local function call(...)
  commands = commands + 1
  return redis.call(...)
end
local nq, ntry, nslots = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local nsettle, first, room = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local limit, opening, nlocks, nlists = tonumber(ARGV[10]), ARGV[11] ~= '', tonumber(ARGV[15]), tonumber(ARGV[16])
local base, fence = 13, 14 + 2 * nq
local reads = {KEYS[1], KEYS[9]}
for i = base + nq + 1, fence + nslots + nlocks do reads[#reads + 1] = KEYS[i] end
local seen = call('MGET', unpack(reads))
local slot = 3 + nq
local mine = '{"claim":"' .. ARGV[1] .. '.'
local at = 18 + nq

-- include _place-of
-- include _malformed
local done, failed, failures, waits, leases, heads, tails, lost, freed = 0, 0, {}, {}, {}, {}, {}, {}, {}
local needs = {o = 1, x = 0, f = 5, m = 5, b = 5, w = 5, r = 1, q = 1}
local i = 1
while i <= nsettle do
  local kind, bears = ARGV[at + 1], mine .. ARGV[at] .. '",'
  local count = kind == 'o' and tonumber(ARGV[at + 2]) or 1
  for j = i, i + count - 1 do
    local entry = seen[slot + j]
    if not entry or string.sub(entry, 1, #bears) ~= bears then
      lost[#lost + 1] = j
    elseif kind == 'o' then
      freed[j] = true
      done = done + 1
    elseif kind == 'x' then
      freed[j] = true
      done, failed = done + 1, failed + 1
    else
      freed[j] = true
      local payload = string.sub(entry, select(2, string.find(entry, ',"payload":', 1, true)) + 1, -2)
      if kind == 'r' or kind == 'q' then
        local into, queue = kind == 'r' and heads or tails, tonumber(ARGV[at + 2])
        into[queue] = into[queue] or {}
        table.insert(into[queue], payload)
      elseif kind == 'w' then
        local place = place_of(ARGV[at + 2])
        if place then leases[#leases + 1] = {place, payload, ARGV[at + 3]} end
        waits[#waits + 1] = ARGV[at + 3]
        waits[#waits + 1] = ARGV[at + 2] .. string.sub(payload, 1, -1 - ARGV[at + 4]) .. ARGV[at + 5] .. '}'
        done, failed = done + ARGV[at + 6], failed + ARGV[at + 6]
      else
        done, failed = done + 1, failed + 1
        if kind == 'f' then
          payload = string.sub(payload, 1, -1 - ARGV[at + 5]) .. ARGV[at + 6]
        else
          payload = malformed(payload, kind == 'b')
        end
        local list = tonumber(ARGV[at + 4])
        failures[list] = failures[list] or {}
        table.insert(failures[list], ARGV[at + 2] .. payload .. ARGV[at + 3])
      end
    end
  end
  i = i + count
  at = at + 2 + needs[kind]
end

local found, free = {}, {}
for i = first, nslots do
  local entry = seen[slot + i]
  if entry and not freed[i] then
    found[#found + 1] = i
    found[#found + 1] = entry
  else
    free[#free + 1] = i
  end
end
