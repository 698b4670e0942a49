--[[
decode(text): pcall(cjson.decode, text), where half an emoji, whose escape JavaScript writes and cjson refuses, is a mark. A part of scripts, put in by
`-- include`.
]]
local function decode(text)
  local ok, value = pcall(cjson.decode, text)
  if ok or not string.find(text, '\\u[dD][89a-fA-F]') then return ok, value end
  -- An escaped backslash begins no other escape.
  text = string.gsub(string.gsub(text, '\\\\', '\1\1'), '\\u[dD][89a-fA-F]%x%x', '?')
  return pcall(cjson.decode, (string.gsub(text, '\1\1', '\\\\')))
end
