--[[
short(text): of a JSON object that is too large to be shown, its short members, and those of its payload. A part of scripts, after _json-members.
]]
local function short(text)
  local kept = {}
  for name, span in pairs((members(text))) do
    local value = string.sub(text, span[1], span[2])
    if name == 'payload' and #value > 5000 then value = short(value) end
    if #value <= 5000 then kept[#kept + 1] = '"' .. name .. '":' .. value end
  end
  return '{' .. table.concat(kept, ',') .. '}'
end
