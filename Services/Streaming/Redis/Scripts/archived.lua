-- After the archiver's commit: trims the archive log, advances archived positions, trims streams, sets expiry, tells everyone.
-- KEYS  1 archive log   2 bytes in the archive log   3 watermark   4.. per stream: stream, meta
-- ARGV  1 partition   2 watermark (archive-log id)   3 bytes that the trimmed entries counted   4 most entries of a stream
--       5 oldest recorded time to keep, ms   6 stream TTL, ms   7 meta TTL, ms   8 channel for the watermark
--       9.. per stream: archived epoch, archived sequence
-- Replies the number of entries left in the archive log.
local dash = string.find(ARGV[2], '-', 1, true)
local after = string.sub(ARGV[2], 1, dash) .. string.format('%.0f', tonumber(string.sub(ARGV[2], dash + 1)) + 1)
local trimmed = redis.call('XTRIM', KEYS[1], 'MINID', after)
if trimmed > 0 and redis.call('DECRBY', KEYS[2], ARGV[3]) < 0 then
  redis.call('SET', KEYS[2], 0)
end
local most, oldest = tonumber(ARGV[4]), tonumber(ARGV[5])
for n = 1, (#KEYS - 3) / 2 do
  local stream, meta = KEYS[2 + 2 * n], KEYS[3 + 2 * n]
  local archived_epoch, archived_sequence = tonumber(ARGV[7 + 2 * n]), tonumber(ARGV[8 + 2 * n])
  local m = redis.call('HMGET', meta, 'e', 's', 'ae', 'as', 'del', 'rt')
  local epoch, sequence = tonumber(m[1]), tonumber(m[2])
  if epoch and m[5] ~= '1' then
    local e, s = tonumber(m[3]) or 0, tonumber(m[4]) or 0
    if archived_epoch > e or (archived_epoch == e and archived_sequence > s) then
      e, s = archived_epoch, archived_sequence
      redis.call('HSET', meta, 'ae', string.format('%.0f', e), 'as', string.format('%.0f', s))
    end
    -- Never past the archived position: excess entries are only those at or below it.
    local length = redis.call('XLEN', stream)
    if length > most then
      local cut = redis.call('XRANGE', stream, '-', '+', 'COUNT', math.min(length - most, 1000))
      local last
      for i = 1, #cut do
        local d = string.find(cut[i][1], '-', 1, true)
        local ce, cs = tonumber(string.sub(cut[i][1], 1, d - 1)), tonumber(string.sub(cut[i][1], d + 1))
        if ce > e or (ce == e and cs > s) then break end
        last = string.format('%.0f-%.0f', ce, cs + 1)
      end
      if last then redis.call('XTRIM', stream, 'MINID', last) end
    elseif oldest > 0 and length > 0 and e == epoch and s >= sequence - length then
      local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 100)
      local last
      for i = 1, #first do
        local d = string.find(first[i][1], '-', 1, true)
        local ce, cs = tonumber(string.sub(first[i][1], 1, d - 1)), tonumber(string.sub(first[i][1], d + 1))
        local fields = first[i][2]
        if tonumber(fields[4]) >= oldest or ce > e or (ce == e and cs > s) then break end
        last = string.format('%.0f-%.0f', ce, cs + 1)
      end
      if last then redis.call('XTRIM', stream, 'MINID', last) end
    end
    if e == epoch and s == sequence then
      redis.call('PEXPIRE', stream, ARGV[6])
      redis.call('PEXPIRE', meta, ARGV[7])
      redis.call('HSET', meta, 'ttl', 1)
      redis.call('HDEL', meta, 'f')
    end
  end
end
-- Kept as well, for those who do not hear it.
redis.call('SET', KEYS[3], ARGV[2])
redis.call('PUBLISH', ARGV[8], ARGV[1] .. ' ' .. ARGV[2])
return redis.call('XLEN', KEYS[1])
