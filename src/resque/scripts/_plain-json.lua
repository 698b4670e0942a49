--[[
plain(text): a JSON text that cjson reads: it refuses the escapes of half an emoji, which JavaScript writes, so a mark stands for each. A part of scripts,
put in by `-- include`.
]]
local function plain(text)
  if not string.find(text, '\\u[dD][89a-fA-F]') then return text end
  -- An escaped backslash begins no other escape.
  text = string.gsub(string.gsub(text, '\\\\', '\1\1'), '\\u[dD][89a-fA-F]%x%x', '?')
  return (string.gsub(text, '\1\1', '\\\\'))
end
