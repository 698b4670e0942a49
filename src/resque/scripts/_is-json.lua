--[[
isbinary(text): whether it is no UTF-8. isjson(text): whether every reader of JSON takes it for an object or an array. A part of scripts, put in by
`-- include`.

cjson alone takes numbers that are none (NaN, 0x1f, 01), and control characters, and reads no further than a NUL.
]]
-- include _decode-json
local function isbinary(text)
  for _, sequence in ipairs({
    '[\194-\223][\128-\191]', '\224[\160-\191][\128-\191]', '[\225-\236\238\239][\128-\191][\128-\191]', '\237[\128-\159][\128-\191]',
    '\240[\144-\191][\128-\191][\128-\191]', '[\241-\243][\128-\191][\128-\191][\128-\191]', '\244[\128-\143][\128-\191][\128-\191]',
  }) do text = string.gsub(text, sequence, ' ') end
  return string.find(text, '[\128-\255]') ~= nil
end
local function isjson(text)
  local ok, value = decode(text)
  if not ok or type(value) ~= 'table' or isbinary(text) or string.find(text, '%z') then return false end
  text = string.gsub(text, '\\.', '')
  for inside in string.gmatch(text, '"([^"]*)"') do
    if string.find(inside, '[\1-\31]') then return false end
  end
  for word in string.gmatch(string.gsub(text, '"[^"]*"', '""'), '[%w%.%+%-]+') do
    local digits, rest = string.match(word, '^%-?(%d+)(.*)$')
    rest = digits and (string.match(rest, '^%.%d+(.*)$') or rest)
    local isnumber = digits and not string.find(digits, '^0%d') and (rest == '' or string.find(rest, '^[eE][%+%-]?%d+$'))
    if not isnumber and word ~= 'true' and word ~= 'false' and word ~= 'null' then return false end
  end
  return true
end
