--[[
members(text): where the values of a JSON object's members are, found without decoding: name → {first byte, last byte}, and where its closing
brace is. A name is as it is written, and the last of several of one name counts, as in every JSON reader. A part of scripts, put in
by `-- include`.
]]
local function members(text)
  local spans, depth, at, name, first = {}, 0, 1, nil, nil
  while true do
    local i = string.find(text, '["{}%[%],:]', at)
    if not i then return {} end
    local c = string.byte(text, i)
    if c == 34 then
      local last = string.find(text, '["\\]', i + 1)
      while last and string.byte(text, last) == 92 do last = string.find(text, '["\\]', last + 2) end
      if not last then return {} end
      if depth == 1 and not first then name = string.sub(text, i + 1, last - 1) end
      i = last
    elseif c == 123 or c == 91 then
      depth = depth + 1
    elseif c == 58 then
      if depth == 1 then first = string.find(text, '%S', i + 1) end
    else
      if depth == 1 and first and name then
        local last = i - 1
        while string.find(text, '^%s', last) do last = last - 1 end
        spans[name] = {first, last}
        first = nil
      end
      if c ~= 44 then depth = depth - 1 end
      if depth == 0 then return spans, i end
    end
    at = i + 1
  end
end
