--[[
malformed(payload, isbinary): the payload of a failed entry for what is none: its text as an argument, or each of its bytes as a character. A part of
scripts, put in by `-- include`.
]]
local function malformed(payload, isbinary)
  payload = cjson.encode(payload)
  if isbinary then
    local codes = {}
    for i = 128, 255 do codes[string.char(i)] = string.format('\\u%04x', i) end
    payload = string.gsub(payload, '[\128-\255]', codes)
  end
  return '{"class":"MalformedPayload","args":[' .. payload .. ']}'
end
