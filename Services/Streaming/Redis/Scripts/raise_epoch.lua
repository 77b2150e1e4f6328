-- Raises a partition's epoch by compare-and-set and leaves a marker in its archive log.
-- KEYS  1 partition epoch   2 archive log   3 bytes in the archive log
-- ARGV  1 the epoch that the caller read, '' if there was none   2 the new epoch   3 the last archive-log id the caller knows of, or ''
-- Replies the epoch now in force.
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then
  return stored
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[2], ARGV[2] .. '-*', 'h', 'r - ' .. (stored == '' and '0' or stored))
redis.call('INCRBY', KEYS[3], 100)
return ARGV[2]
