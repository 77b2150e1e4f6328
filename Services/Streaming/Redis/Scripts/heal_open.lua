-- Ends a partition's healing phase when its time is over and nothing staged is left.
-- KEYS  1 partition epoch   2 staged streams
-- ARGV  1 what the epoch's key must hold   2 the epoch   3 length of a phase, ms
-- Replies 'OPEN', 'STAGED', the ms that are left, or 'STALE'.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 'STALE'
end
local time = redis.call('TIME')
local left = tonumber(string.sub(ARGV[1], #ARGV[2] + 2)) - (time[1] * 1000 + math.floor(time[2] / 1000))
-- More than a phase is left only where the clock has gone back, and then nobody knows how much: it is over.
if left > 0 and left <= tonumber(ARGV[3]) then
  return string.format('%d', left)
end
if redis.call('SCARD', KEYS[2]) > 0 then
  return 'STAGED'
end
redis.call('SET', KEYS[1], ARGV[2])
return 'OPEN'
