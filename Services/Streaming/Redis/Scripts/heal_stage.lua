-- Stages what a publisher holds of a stream, for heal_stream.lua to put back. Staging twice, or by several publishers, does no harm:
-- a position is one event.
--
-- KEYS  1 partition epoch   2 staged streams   3 staged positions   4 staged events   5 staged borders
-- ARGV  1 what the epoch's key must hold   2 stream   3 last archived position or ''
--       4 last acknowledged position or ''   5 state in which that event left the stream or ''   6 its type
--       7 position up to which the stream was deleted or ''   8 '1' if from the archive as well
--       then per event: position, recorded time, previous position or '-', identity or '', where extensions end in the frame, frame
-- Replies 'OK', or what the epoch's key holds.
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then
  return stored
end
local function later(field, position)
  local dash = string.find(position, '-', 1, true)
  local epoch, sequence = tonumber(string.sub(position, 1, dash - 1)), tonumber(string.sub(position, dash + 1))
  local known = redis.call('HGET', KEYS[4], field)
  if known then
    local at = string.find(known, '-', 1, true)
    local known_epoch, known_sequence = tonumber(string.sub(known, 1, at - 1)), tonumber(string.sub(known, at + 1))
    if known_epoch > epoch or (known_epoch == epoch and known_sequence >= sequence) then
      return false
    end
  end
  redis.call('HSET', KEYS[4], field, position)
  return true
end
redis.call('SADD', KEYS[2], ARGV[2])
if ARGV[3] ~= '' then
  later('archived', ARGV[3])
end
if ARGV[4] ~= '' and later('last', ARGV[4]) then
  redis.call('HSET', KEYS[4], 'end', ARGV[5], 'endtype', ARGV[6])
end
if ARGV[7] ~= '' and later('deleted', ARGV[7]) then
  redis.call('HSET', KEYS[4], 'deletedx', ARGV[8])
end
for n = 9, #ARGV, 6 do
  local dash = string.find(ARGV[n], '-', 1, true)
  -- Padded, so that the order of the text is that of the positions.
  local padded = string.format('%016d-%016d', string.sub(ARGV[n], 1, dash - 1), string.sub(ARGV[n], dash + 1))
  redis.call('ZADD', KEYS[3], 0, padded)
  if ARGV[n + 2] ~= '-' then
    redis.call('HSET', KEYS[5], padded, ARGV[n + 2])
  end
  redis.call('HSET', KEYS[4], padded, cmsgpack.pack({ARGV[n + 1], ARGV[n + 2], ARGV[n + 3], ARGV[n + 4], ARGV[n + 5]}))
end
return 'OK'
