--[[
remove-listed: removes entries from a list by their content, if they are still there.

KEYS  1 the list
ARGV  1-4 as walk has them: where the entries were seen; then for each its id (SHA-1 of its bytes) and how many alike to remove
Returns {commands, {for each id how many were removed}}
Keeps: nothing is removed that has another content. Each is overwritten where it stands and all of them are removed at once, as Ruby Resque
      does it with one: an LREM for each would look through the list as often. In a full database, which refuses to overwrite, it is done so.
]]
-- include _walk-list
local wanted, found, removed, mark = {}, {}, {}, '\1airlift:removed:' .. ARGV[5]
for i = 5, #ARGV, 2 do
  removed[#removed + 1] = 0
  wanted[ARGV[i]] = {#removed, tonumber(ARGV[i + 1])}
end
local _, _, commands = walk(function(text, index)
  local entry = wanted[redis.sha1hex(text)]
  if not entry or entry[2] == 0 then return end
  entry[2] = entry[2] - 1
  removed[entry[1]] = removed[entry[1]] + 1
  found[#found + 1] = {index, text}
end)
if #found == 0 then return {commands + 1, removed} end
local first = redis.pcall('LSET', KEYS[1], found[1][1], mark)
if first.err then
  -- From the tail, so that a walk towards the head meets others that are alike again.
  for _, entry in ipairs(found) do redis.call('LREM', KEYS[1], -1, entry[2]) end
  return {commands + 2 + #found, removed}
end
for i = 2, #found do redis.call('LSET', KEYS[1], found[i][1], mark) end
local result = redis.pcall('LREM', KEYS[1], -#found, mark)
if type(result) == 'table' then
  for _, entry in ipairs(found) do redis.call('LSET', KEYS[1], entry[1], entry[2]) end
  return result
end
return {commands + 2 + #found, removed}
