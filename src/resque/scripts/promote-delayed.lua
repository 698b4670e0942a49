--[[
promote-delayed: moves delayed items that are due from the heads of their lists to the tails of their queues, `queue` cut out of each, and
keeps resque-scheduler's books.

KEYS  5 delayed_queue_schedule, the others as in _queue-due, then L lists, earliest first, then for each item its `timestamps:` key, then the lock
      of resque-scheduler's leader in a call that gives way to it
ARGV  1-4 as in _queue-due, 5 the text after an item in failed whose queue is no UTF-8, 6 L, then for each list how many of its items were
      read, then for each item three: the number of its queue, the text to cut out, and how often that text stands in the item before
      that; for an item that is no job 0, the text after it in failed, 0
Returns {commands, promoted, failed, lists that are empty now}; {commands, 0, 0, -1} if it gave way; or the error of the command that Redis
      refused: then nothing has changed
Keeps: an item is moved only if it is the one that was read; a list that others have changed meanwhile gives what its head still has.
      The texts that a client reads hold U+FFFD for what is no UTF-8: an item with such bytes is known by all its other bytes. No client
      can name its `timestamps:` key, which stays. So does a key that should be a list and is none: only the schedule forgets it.
Longer than 60 lines, because these steps are safe only together.
]]
-- include _queue-due
local nlists = tonumber(ARGV[6])
local key, at = 5 + nq + nlists, 7 + nlists
local trims, emptied, lists, drop, books, taken = {}, {}, {}, {}, {}, {}
local function ascii(text) return (string.gsub(text, '[\128-\255]+', '')) end
local function cut(item, text, nth)
  local from, to = 0, nil
  for _ = 0, nth do
    from, to = string.find(item, text, from + 1, true)
    if not from then return nil end
  end
  return string.sub(item, 1, from - 1) .. string.sub(item, to + 1)
end
local function take(item, i)
  local read, queue, text = string.sub(KEYS[key + i], prefix + 12), tonumber(ARGV[at]), ARGV[at + 1]
  if item ~= read and not (item and ascii(item) == ascii(read) and isbinary(item)) then return false end
  local payload = queue > 0 and cut(item, text, tonumber(ARGV[at + 2]))
  if payload then promote(queue, payload) else fail(item, queue > 0 and ARGV[5] or text, false) end
  return true
end
local nitems = 0
for l = 1, nlists do nitems = nitems + ARGV[6 + l] end
local lock = KEYS[key + nitems + 1]
if lock and call('EXISTS', lock) == 1 then return {commands, 0, 0, -1} end
for l = 1, nlists do
  local list, count, n = KEYS[5 + nq + l], tonumber(ARGV[6 + l]), 0
  commands = commands + 1
  local items = redis.pcall('LRANGE', list, 0, count)
  local islist = not (items.err and string.find(items.err, 'WRONGTYPE', 1, true))
  if not islist then items = {} end
  if items.err then return items end
  local open = true
  for i = 1, count do
    open = open and take(items[i], i)
    if open then
      n = i
      if items[i] == string.sub(KEYS[key + i], prefix + 12) then books[#books + 1] = {KEYS[key + i], string.sub(list, prefix + 1)} end
    end
    at = at + 3
  end
  key = key + count
  if n == #items then
    emptied[#emptied + 1] = list
    if islist then lists[#lists + 1], drop[#drop + 1] = list, list end
  elseif n > 0 then
    trims[list] = n
  end
  if n > 0 then taken[string.sub(list, prefix + 1)] = true end
end
local function remove()
  -- One DEL for all the books if they tell of nothing but these lists, which are due and follow; else each loses its line.
  local keys = {}
  for _, book in ipairs(books) do keys[#keys + 1] = book[1] end
  local told = #keys > 0 and redis.pcall('SUNION', unpack(keys)) or {}
  if #keys > 0 then commands = commands + 1 end
  local covered = not told.err
  for _, list in ipairs(told) do covered = covered and taken[list] end
  if covered then
    for _, book in ipairs(keys) do drop[#drop + 1] = book end
  end
  for list, n in pairs(trims) do call('LTRIM', list, n, -1) end
  if #drop == 0 then return end
  commands = commands + 1
  local reply = redis.pcall('DEL', unpack(drop))
  if type(reply) == 'number' then
    if covered then books = {} end
  else
    for _, list in ipairs(lists) do call('LTRIM', list, 1, 0) end
  end
end
local problem = move(remove)
if problem then return problem end
-- What is left of the books does no harm: a key that is none of them must not keep the jobs back.
for _, book in ipairs(books) do
  commands = commands + 1
  redis.pcall('SREM', book[1], book[2])
end
if #emptied > 0 then
  local seconds = {}
  for _, list in ipairs(emptied) do seconds[#seconds + 1] = string.sub(list, prefix + 9) end
  call('ZREM', KEYS[5], unpack(seconds))
end
return {commands, promoted, #failures, #emptied}
