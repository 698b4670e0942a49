--[[
name_queues(set, given): names the queues whose keys are the members of `given` in the set of queues: somebody may have taken them out while they were
empty, and whoever asks for all queues would not find what has come back to them. Returns the commands; a refusal loses no job. A part of scripts, put in
by `-- include`.
]]
local function name_queues(set, given)
  local names = {}
  -- `queue:` is as long as `queues`
  for key in pairs(given) do names[#names + 1] = string.sub(key, #set + 1) end
  if #names == 0 then return 0 end
  redis.pcall('SADD', set, unpack(names))
  return 1
end
