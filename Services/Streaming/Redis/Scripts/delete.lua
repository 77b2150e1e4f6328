-- Deletes a stream from the hot log and tells the archiver through the archive log; a tombstone keeps its positions unique.
-- EPOCH and PARTITION: see append.lua.
--
-- KEYS  1 partition epoch   2 archive log   3 bytes in the archive log   4 index of streams
--       5 stream   6 meta   7 idempotency 0   8 idempotency 1
-- ARGV  1 stream name   2 '1' to delete it from the archive as well   3 last archived epoch or ''   4 last archived sequence or ''
--       5 how long the tombstone stays, ms
-- Replies {'OK', last position}, {'STALE', epoch}, {'UNKNOWN'}
local stored = redis.call('GET', KEYS[1])
if stored ~= EPOCH then
  return {'STALE', stored or ''}
end
local stream = ARGV[1]
local meta = redis.call('HMGET', KEYS[6], 'e', 's', 'rt', 'del')
local epoch, sequence = tonumber(meta[1]), tonumber(meta[2])
local known = epoch and meta[4] ~= '1'
if ARGV[3] ~= '' then
  local archived_epoch, archived_sequence = tonumber(ARGV[3]), tonumber(ARGV[4])
  if not epoch or archived_epoch > epoch or (archived_epoch == epoch and archived_sequence > sequence) then
    epoch, sequence = archived_epoch, archived_sequence
  end
  -- Already deleted here, still in the archive: there is something left to delete only if the archive is meant.
  known = known or meta[4] ~= '1' or ARGV[2] == '1'
end
if not known then
  return {'UNKNOWN'}
end
local time = redis.call('TIME')
local now = math.max(time[1] * 1000 + math.floor(time[2] / 1000), tonumber(meta[3]) or 0)
local position = string.format('%.0f-%.0f', epoch, sequence)
redis.call('UNLINK', KEYS[5], KEYS[6], KEYS[7], KEYS[8])
redis.call('HSET', KEYS[6], 'e', string.format('%.0f', epoch), 's', string.format('%.0f', sequence), 'rt', string.format('%.0f', now), 'del', 1, 'pe', EPOCH)
redis.call('PEXPIRE', KEYS[6], ARGV[5])
redis.call('ZREM', KEYS[4], stream)
redis.call('XADD', KEYS[2], EPOCH .. '-*', 'k', 'd', 's', stream, 'h', position .. ' ' .. string.format('%.0f', now) .. ' - 0', 'x', ARGV[2])
redis.call('INCRBY', KEYS[3], #stream + 100)
redis.call('PUBLISH', '{' .. PARTITION .. '}:c:' .. stream, 'D ' .. position .. ' ' .. string.format('%.0f', now) .. ' - 0\n')
return {'OK', position}
