-- Deletes a stream from the hot log and tells the archiver through the archive log; a tombstone keeps its positions unique.
-- The lines that FencedScripts puts before this text set EPOCH and the names of the partition's keys; they make the script's hash
-- belong to one partition and one partition epoch (the epoch fence).
--
-- KEYS  1 stream
-- ARGV  1 stream name   2 '1' to delete it from the archive as well   3 last archived epoch or ''   4 last archived sequence or ''
--       5 how long the tombstone stays, ms
-- Replies {'OK', last position, archive-log ID}, {'STALE', epoch}, {'UNKNOWN'}
local stored = redis.call('GET', EPOCH_KEY)
if stored ~= EPOCH then
  return {'STALE', stored or ''}
end
local stream = ARGV[1]
local meta = redis.call('HMGET', META .. stream, 'e', 's', 'rt', 'del')
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
redis.call('UNLINK', KEYS[1], META .. stream, IDS0 .. stream, IDS1 .. stream)
redis.call('HSET', META .. stream, 'e', string.format('%.0f', epoch), 's', string.format('%.0f', sequence), 'rt', string.format('%.0f', now), 'del', 1, 'pe', EPOCH)
redis.call('PEXPIRE', META .. stream, ARGV[5])
redis.call('ZREM', INDEX, stream)
local id = redis.call('XADD', ARCHIVE, EPOCH .. '-*', 'h', 'd ' .. stream .. ' ' .. position .. ' ' .. string.format('%.0f', now) .. ' - 0', 'x', ARGV[2])
redis.call('INCRBY', BYTES, #stream + 100)
redis.call('PUBLISH', CHANNEL .. stream, 'D ' .. position .. ' ' .. string.format('%.0f', now) .. ' - 0\n')
return {'OK', position, id}
