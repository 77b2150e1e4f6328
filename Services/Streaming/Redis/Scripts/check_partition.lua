-- Tells how a partition stands. Writes nothing.
-- KEYS  1 partition epoch   2 process that the epoch was raised in   3 watermark   4 staged streams   5 archive log
-- Replies {epoch or '', '1' if this is the process that the epoch was raised in, watermark or '', number of staged streams,
--          time in ms, last ID that the archive log had}
local process = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') .. ' '
  .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local time = redis.call('TIME')
local log_end = '0-0'
if redis.call('EXISTS', KEYS[5]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[5])
  for n = 1, #info, 2 do
    if info[n] == 'last-generated-id' then
      log_end = info[n + 1]
    end
  end
end
return {
  redis.call('GET', KEYS[1]) or '',
  redis.call('GET', KEYS[2]) == process and '1' or '0',
  redis.call('GET', KEYS[3]) or '',
  redis.call('SCARD', KEYS[4]),
  string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)),
  log_end,
}
