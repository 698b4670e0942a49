--[[
short(text): of a JSON object that is too large to be shown, its short members, and those of its payload, but not of a payload in that: each level costs
a look at all of the text. A part of scripts, after _json-members.
]]
local function short(text, isinside)
  local kept = {}
  for name, span in pairs((members(text))) do
    local value = string.sub(text, span[1], span[2])
    if name == 'payload' and #value > 5000 and not isinside then value = short(value, true) end
    if #value <= 5000 then kept[#kept + 1] = '"' .. name .. '":' .. value end
  end
  return '{' .. table.concat(kept, ',') .. '}'
end
