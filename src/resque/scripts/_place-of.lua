--[[
place_of(text): the field in airlift:running of a detached job that keeps its place under a limit, which is the id of its member of
airlift:retries; nil for any other member. A part of scripts, put in by `-- include`.

The text is a member, or what stands before its payload. No name or message in it can hold the quotes that are looked for.
]]
local function place_of(text)
  local _, head = string.find(text, ',"payload":', 1, true)
  return string.match(string.sub(text, 1, head or 0), '^{"id":"([^"]*)".*,"limited":true,"payload":$')
end
