-- Tells which of some positions a stream does not hold. Writes nothing.
-- KEYS  1 partition epoch   2 stream   3 meta
-- ARGV  1 what the epoch's key must hold   2.. positions
-- Replies {'OK', last position known or '', '1' if only a tombstone is left, index of a missing position (0-based), ...},
--         {'STALE', what the epoch's key holds}
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then
  return {'STALE', stored}
end
local meta = redis.call('HMGET', KEYS[3], 'e', 's', 'del')
local reply = {'OK', meta[1] and meta[1] .. '-' .. meta[2] or '', meta[3] or '0'}
for n = 2, #ARGV do
  if #redis.call('XRANGE', KEYS[2], ARGV[n], ARGV[n], 'COUNT', 1) == 0 then
    reply[#reply + 1] = n - 2
  end
end
return reply
