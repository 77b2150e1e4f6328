-- Raises a partition's epoch by compare-and-set, leaves a marker in its archive log, and opens a healing phase if events may be lost.
-- While the phase lasts the key reads <epoch>:<end of the phase>, which no script of an epoch equals: appends wait.
--
-- KEYS  1 partition epoch   2 archive log   3 bytes in the archive log   4 process that the epoch was raised in
-- ARGV  1 what the caller read of the epoch, '' if there was none   2 the new epoch   3 length of the healing phase, ms
--       4 'lost': heal in any case; 'new': nobody knows the partition, so nothing can be lost; '': heal unless only scripts are missing
--       5 channel for raises   6 partition
-- Replies what the epoch's key now holds.
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then
  return stored
end
-- Whoever was a replica meanwhile has another replication ID, whoever was started meanwhile another run ID.
local process = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') .. ' '
  .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local intact = stored ~= '' and not string.find(stored, ':', 1, true) and redis.call('GET', KEYS[4]) == process
local heal = ARGV[4] == 'lost' or (ARGV[4] == '' and not intact) or (ARGV[4] == 'new' and stored ~= '' and not intact)
local raised = ARGV[2]
if heal then
  local time = redis.call('TIME')
  raised = raised .. ':' .. string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3])
end
redis.call('SET', KEYS[1], raised)
redis.call('SET', KEYS[4], process)
redis.call('XADD', KEYS[2], ARGV[2] .. '-*', 'h', 'r - ' .. (stored == '' and '0' or stored))
redis.call('INCRBY', KEYS[3], 100)
redis.call('PUBLISH', ARGV[5], ARGV[6])
return raised
