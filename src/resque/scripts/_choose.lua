--[[
bears(id), holds(text): whether an entry is among those that are asked for. A part of scripts, put in by `-- include`.

ARGV  8 number of ids, the ids or their first digits, then texts in lower case, which an entry must hold in whatever case
]]
local nids, wanted, lengths = tonumber(ARGV[8]), {}, {}
for i = 9, 8 + nids do
  wanted[ARGV[i]] = true
  lengths[#ARGV[i]] = true
end
local function bears(id)
  for length in pairs(lengths) do
    if wanted[string.sub(id, 1, length)] then return true end
  end
  return nids == 0
end
local function holds(text)
  if #ARGV == 8 + nids then return true end
  text = string.lower(text)
  for i = 9 + nids, #ARGV do
    if not string.find(text, ARGV[i], 1, true) then return false end
  end
  return true
end
