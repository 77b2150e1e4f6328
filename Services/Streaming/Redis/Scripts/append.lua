-- Appends one request's events to a stream, all or none, in one step.
-- EPOCH and PARTITION are set by the lines that AppendScript puts before this text; they make the script's hash belong to one
-- partition and one partition epoch (the epoch fence).
--
-- KEYS  1 partition epoch   2 archive log   3 bytes in the archive log   4 index of streams
--       5 stream   6 meta   7 idempotency 0   8 idempotency 1   9 attempt
-- ARGV  1 stream name
--       2 half of the idempotency window, ms         3 most ids per idempotency hash
--       4 most bytes in the archive log, 0 = no limit
--       5 attempt token
--       6 generated ids: '' none, 'n' first try, 'r' the publisher's own retry, 's' sent again by a client that was answered 503
--       7 expected position or ''                    8 state when the last event is terminal, else ''
--       9 its type, else ''
--      10 archive looked up: '0' not yet, '1' done, '2' failed
--      11 last archived epoch or ''                 12 last archived sequence or ''
--      13 state in the archive or ''                14 type that ended it or ''
--      15 known from elsewhere: '' or 'i=<position>,...' (0-based index; from the archive)
--      16 with 'r' and 's': 'i=<id>,...', the generated ids to look for in the log of the last 60 s
--      17 number of events, then per event: identity (16 bytes, '' for a generated id), frame
--
-- Replies {'OK', first, last, accepted, duplicates, bytes in the archive log}, {'STALE', epoch}, {'LOOKUP'},
--         {'ENDED', state, current}, {'EXPECTED', current}, {'BACKLOG', bytes}
local stored = redis.call('GET', KEYS[1])
if stored ~= EPOCH then
  return {'STALE', stored or ''}
end

local stream, attempt, count = ARGV[1], ARGV[5], tonumber(ARGV[17])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = redis.call('HMGET', KEYS[6], 'e', 's', 'pe', 'end', 'endtype', 'rt', 'ir', 'del', 'ttl')
local epoch, sequence, ended, endtype = tonumber(meta[1]), tonumber(meta[2]), meta[4] or '', meta[5] or ''
local deleted = meta[8] == '1'
local fresh = not epoch or deleted
local border = fresh or meta[3] ~= EPOCH
if border and ARGV[10] == '0' then
  return {'LOOKUP'}
end
now = math.max(now, tonumber(meta[6]) or 0)

-- What the archive knows counts where it is ahead: Redis may have lost its tail, or forgotten the stream.
local lost_epoch = epoch
if border and ARGV[11] ~= '' then
  local archived_epoch, archived_sequence = tonumber(ARGV[11]), tonumber(ARGV[12])
  if not epoch or archived_epoch > epoch or (archived_epoch == epoch and archived_sequence > sequence) then
    if not deleted then
      epoch, sequence = archived_epoch, archived_sequence
      fresh = false
      if ARGV[13] ~= '' then
        ended, endtype = ARGV[13], ARGV[14]
      end
    else
      lost_epoch = math.max(epoch, archived_epoch)
    end
  end
end

-- 1. Idempotency.
local positions, mine = {}, {}
-- A generated id is unique, so nothing is stored for it: a retry looks for it in the log itself, and leaves a note for a first
-- try that was overtaken (its bytes may still wait in a connection that broke).
local generated = ARGV[6]
if generated ~= '' then
  local note = redis.call('GET', KEYS[9])
  if note then
    local owner, rest = string.match(note, '^(%S+) (.*)$')
    if generated == 'n' then
      for index, position in string.gmatch(rest, '(%d+)=(%S+)') do
        positions[index + 1] = position
        mine[index + 1] = owner == attempt
      end
    end
  end
  if generated ~= 'n' then
    local wanted, left = {}, 0
    for i, id in string.gmatch(ARGV[16], '(%d+)=([^,]+)') do
      wanted[id] = i + 1
      left = left + 1
    end
    local upper, scanned = '+', 0
    while left > 0 and scanned < 10000 do
      local page = redis.call('XREVRANGE', KEYS[5], upper, '-', 'COUNT', 100)
      for n = 1, #page do
        local fields = page[n][2]
        local frame = fields[2]
        if tonumber(fields[4]) < now - 60000 then
          left = 0
          break
        end
        -- "specversion":"1.0","id":"..." is where every frame's JSON starts.
        local id_at = 9 + string.byte(frame, 7) + 256 * string.byte(frame, 8) + 26
        local id = string.sub(frame, id_at, (string.find(frame, '"', id_at, true) or id_at) - 1)
        local i = wanted[id]
        if i and not positions[i] then
          positions[i] = page[n][1]
          mine[i] = generated == 'r'
          left = left - 1
        end
      end
      scanned = scanned + #page
      if #page < 100 then break end
      upper = '(' .. page[#page][1]
    end
  end
end
local half = tonumber(ARGV[2])
local slot = math.floor(now / half)
local current, previous = KEYS[7 + slot % 2], KEYS[7 + (slot + 1) % 2]
local ids, at = {}, {}
for i = 1, count do
  local id = ARGV[16 + 2 * i]
  if id ~= '' and not positions[i] then
    ids[#ids + 1] = id
    at[#at + 1] = i
  end
end
if #ids > 0 then
  for _, key in ipairs({current, previous}) do
    -- A stream without a slot never stored an id; its hashes cannot exist.
    if meta[7] then
      for first = 1, #ids, 1000 do
        local found = redis.call('HMGET', key, unpack(ids, first, math.min(first + 999, #ids)))
        for j = 1, #found do
          local value = found[j]
          if value then
            local i = at[first + j - 1]
            local space = string.find(value, ' ', 1, true)
            positions[i] = string.sub(value, 1, space - 1)
            mine[i] = string.sub(value, space + 1) == attempt
          end
        end
      end
    end
  end
end
-- The archive's answer counts last: an id that was forgotten and appended again is better known here.
if ARGV[15] ~= '' then
  for i, position in string.gmatch(ARGV[15], '(%d+)=([%d%-]+)') do
    positions[i + 1] = positions[i + 1] or position
  end
end
local new, twins, first_of = {}, {}, {}
local duplicates, own = 0, 0
for i = 1, count do
  if positions[i] then
    if mine[i] then own = own + 1 else duplicates = duplicates + 1 end
  else
    local id = ARGV[16 + 2 * i]
    if id ~= '' and first_of[id] then
      twins[i] = first_of[id]
      duplicates = duplicates + 1
    else
      if id ~= '' then first_of[id] = i end
      new[#new + 1] = i
    end
  end
end
local last_known = (epoch and not fresh) and (string.format('%.0f-%.0f', epoch, sequence)) or '0-0'
local bytes = tonumber(redis.call('GET', KEYS[3]) or '0')
if #new == 0 then
  return {'OK', positions[1], positions[count], own, duplicates, bytes}
end

-- 2. End of stream, 3. expected position, 4. backlog.
if ended ~= '' and not deleted then
  return {'ENDED', ended, last_known}
end
if ARGV[7] ~= '' and ARGV[7] ~= last_known then
  return {'EXPECTED', last_known}
end
local limit = tonumber(ARGV[4])
if limit > 0 and bytes > limit then
  return {'BACKLOG', bytes}
end

-- 5. The epoch. From here on the script writes.
local link
if fresh then
  epoch = math.max(tonumber(EPOCH), now, (lost_epoch or 0) + 1)
  sequence = 0
elseif border then
  link = last_known
  epoch = math.max(tonumber(EPOCH), epoch + 1)
  if not meta[1] then epoch = math.max(epoch, now) end
end
local prefix = string.format('%.0f', epoch) .. '-'
local recorded = string.format('%.0f', now)
local first_sequence = sequence + 1
local frames, remember = {}, {}
for n = 1, #new do
  local i = new[n]
  local frame = ARGV[17 + 2 * i]
  sequence = sequence + 1
  local position = prefix .. sequence
  positions[i] = position
  if n == 1 and link then
    redis.call('XADD', KEYS[5], position, 'e', frame, 'r', recorded, 'p', link)
  else
    redis.call('XADD', KEYS[5], position, 'e', frame, 'r', recorded)
  end
  frames[n] = frame
  local id = ARGV[16 + 2 * i]
  if id ~= '' then
    remember[#remember + 1] = id
    remember[#remember + 1] = position .. ' ' .. attempt
  end
end
for i, twin in pairs(twins) do
  positions[i] = positions[twin]
end

-- The archive log holds the same frames, cut into entries of about 64 KiB so that readers can bound what they fetch.
local start = 1
local added = 0
while start <= #frames do
  local stop, size = start, #frames[start]
  while stop < #frames and size + #frames[stop + 1] <= 65536 do
    stop = stop + 1
    size = size + #frames[stop]
  end
  local header = prefix .. (first_sequence + start - 1) .. ' ' .. recorded .. ' ' .. ((start == 1 and link) or '-') .. ' ' .. (stop - start + 1)
  redis.call('XADD', KEYS[2], EPOCH .. '-*', 'k', 'a', 's', stream, 'h', header, 'd', table.concat(frames, '', start, stop))
  added = added + size + #stream + 100
  start = stop + 1
end
bytes = redis.call('INCRBY', KEYS[3], added)

local changes = {'e', string.format('%.0f', epoch), 's', sequence, 'pe', EPOCH, 'rt', recorded}
if #remember > 0 then
  if tonumber(meta[7] or -1) ~= slot then
    changes[#changes + 1] = 'ir'
    changes[#changes + 1] = slot
  end
  local room = tonumber(ARGV[3]) - redis.call('HLEN', current)
  if room * 2 < #remember then
    redis.call('HINCRBY', KEYS[6], 'idrop', math.floor((#remember - math.max(room, 0) * 2) / 2))
  end
  local upto = math.min(#remember, math.max(room, 0) * 2)
  for from = 1, upto, 2000 do
    redis.call('HSET', current, unpack(remember, from, math.min(from + 1999, upto)))
  end
  if upto > 0 and tonumber(meta[7] or -1) ~= slot then
    redis.call('PEXPIREAT', current, (slot + 2) * half)
  end
end
if generated == 'r' or generated == 's' then
  local note = {attempt}
  for i, id in string.gmatch(ARGV[16], '(%d+)=([^,]+)') do
    note[#note + 1] = string.match(id, '%.(%d+)$') .. '=' .. positions[i + 1]
  end
  redis.call('SET', KEYS[9], table.concat(note, ' '), 'PX', 60000)
end
if ARGV[8] ~= '' and new[#new] == count then
  changes[#changes + 1] = 'end'
  changes[#changes + 1] = ARGV[8]
  changes[#changes + 1] = 'endtype'
  changes[#changes + 1] = ARGV[9]
end
if deleted then
  redis.call('DEL', KEYS[6])
end
redis.call('HSET', KEYS[6], unpack(changes))
if meta[9] then
  redis.call('HDEL', KEYS[6], 'ttl')
end
if meta[9] or deleted then
  redis.call('PERSIST', KEYS[5])
  redis.call('PERSIST', KEYS[6])
end
-- The index only orders listings: a second is fine enough, and spares most appends the write.
if fresh or now - (tonumber(meta[6]) or 0) >= 1000 then
  redis.call('ZADD', KEYS[4], recorded, stream)
end

local wake = prefix .. first_sequence .. ' ' .. recorded .. ' ' .. (link or '-') .. ' ' .. #frames .. '\n'
local body = table.concat(frames)
if #body <= 65536 then
  wake = 'A ' .. wake .. body
else
  wake = 'P ' .. wake
end
redis.call('PUBLISH', '{' .. PARTITION .. '}:c:' .. stream, wake)
return {'OK', positions[1], positions[count], #new + own, duplicates, bytes}
