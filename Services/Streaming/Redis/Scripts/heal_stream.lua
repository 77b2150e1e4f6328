-- Puts staged events of a stream back. Called until it says that nothing is left; each call leaves the stream sound.
-- EPOCH and PARTITION are set by the lines that HealingScript puts before this text; see append.lua. Keys that are not in KEYS have
-- the same hash tag as those.
--
-- 1. A deletion that was lost is done again.
-- 2. An event that follows the stream's last goes where it was; so the stream's positions stay what they were for every reader. Not
--    one that a later epoch passed over when it began: who has read that epoch would never see it.
-- 3. Then the stream's last position becomes the last that was acknowledged: what nobody held is a hole that arithmetic shows.
--    Of what was archived and is not put back Redis does not know the ids: for as long as it would have, appends ask the archive.
-- 4. An event behind which the stream has gone on is appended again, and says where it was first; in an ended stream it goes to the
--    archive alone.
--
-- KEYS  1 stream
-- ARGV  1 stream name   2 half of the idempotency window, ms   3 most ids per idempotency hash   4 how long a tombstone stays, ms
--       5 most events in one call
-- Replies {'OK', '1' if there is more, events put back, events appended again}, {'STALE', what the epoch's key holds}
local call, format, sub = redis.call, string.format, string.sub
local P = '{' .. PARTITION .. '}:'
local stored = call('GET', P .. 'epoch') or ''
if stored ~= EPOCH and sub(stored, 1, #EPOCH + 1) ~= EPOCH .. ':' then
  return {'STALE', stored}
end
local stream, half, most_ids, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local key, meta_key, archive = KEYS[1], P .. 'm:' .. stream, P .. 'archive'
local ids = {[0] = P .. 'i0:' .. stream, [1] = P .. 'i1:' .. stream}
local positions_key, events_key, borders_key = P .. 'hp:' .. stream, P .. 'h:' .. stream, P .. 'hb:' .. stream
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function position(text)
  if not text or text == '' then return nil end
  local dash = string.find(text, '-', 1, true)
  return {tonumber(sub(text, 1, dash - 1)), tonumber(sub(text, dash + 1))}
end
local function write(at)
  return format('%d-%d', at[1], at[2])
end
local function after(left, right)
  return left[1] > right[1] or (left[1] == right[1] and left[2] > right[2])
end

local staged = call('HMGET', events_key, 'archived', 'last', 'end', 'endtype', 'deleted', 'deletedx')
local meta = call('HMGET', meta_key, 'e', 's', 'rt', 'end', 'del', 'ir', 'pe')
local last = meta[1] and {tonumber(meta[1]), tonumber(meta[2])}
local ended, deleted, slot_stored, partition_epoch = meta[4] or '', meta[5] == '1', tonumber(meta[6] or nil), meta[7]
local recorded_last = tonumber(meta[3]) or 0
local added, incomplete = 0, false

-- 1. Deletions.
local cut = position(staged[5])
if cut and not (last and (after(last, cut) or (deleted and not after(cut, last)))) then
  local at, when = write(cut), format('%d', math.max(now, recorded_last))
  call('UNLINK', key, meta_key, ids[0], ids[1])
  call('HSET', meta_key, 'e', format('%d', cut[1]), 's', format('%d', cut[2]), 'rt', when, 'del', 1, 'pe', EPOCH)
  call('PEXPIRE', meta_key, ARGV[4])
  call('ZREM', P .. 'streams', stream)
  call('XADD', archive, EPOCH .. '-*', 'h', 'd ' .. stream .. ' ' .. at .. ' ' .. when .. ' - 0', 'x', staged[6] or '0')
  added = added + #stream + 100
  call('PUBLISH', P .. 'c:' .. stream, 'D ' .. at .. ' ' .. when .. ' - 0\n')
  last, deleted, ended, slot_stored, recorded_last = cut, true, '', nil, tonumber(when)
end
-- The archive may know of more than Redis does.
local archived = position(staged[1])
local known, gone = last, deleted
if archived and (not known or after(archived, known)) then
  known, gone = archived, false
  incomplete = true
end

local borders = call('HGETALL', borders_key)
for n = 1, #borders, 2 do
  borders[n] = {tonumber(sub(borders[n], 1, 16)), tonumber(sub(borders[n], 18))}
  borders[n + 1] = position(borders[n + 1])
end
local function passed_over(at)
  for n = 1, #borders, 2 do
    if after(at, borders[n + 1]) and after(borders[n], at) then
      return true
    end
  end
  return false
end

local restored, repeated = 0, 0
local remember, changes = {}, {}
local group, group_size
local function flush()
  if not group then return end
  local header = write(group.first) .. ' ' .. group.recorded .. ' ' .. group.link .. ' ' .. #group.frames
  local body = table.concat(group.frames)
  call('XADD', archive, EPOCH .. '-*', 'h', 'a ' .. stream .. ' ' .. header, 'd', body)
  added = added + #body + #stream + 100
  if not group.silent then
    call('PUBLISH', P .. 'c:' .. stream, (#body <= 65536 and 'A ' or 'P ') .. header .. '\n' .. (#body <= 65536 and body or ''))
  end
  group = nil
end
local function log(at, recorded, link, frame, silent)
  if group and (link ~= '-' or silent or group.recorded ~= recorded or group.next[1] ~= at[1] or group.next[2] ~= at[2]
      or group_size + #frame > 65536) then
    flush()
  end
  if not group then
    group, group_size = {first = at, recorded = recorded, link = link, frames = {}, silent = silent}, 0
  end
  group.frames[#group.frames + 1] = frame
  group.next = {at[1], at[2] + 1}
  group_size = group_size + #frame
  if silent then flush() end
end
-- A tombstone makes way for what follows it.
local function begin()
  if deleted then
    call('DEL', meta_key)
    deleted, gone, partition_epoch = false, false, nil
  end
end
local function add(at, recorded, link, frame)
  begin()
  incomplete = incomplete or at[2] ~= (last and last[2] or 0) + 1
  local id = write(at)
  if link == '-' then
    call('XADD', key, id, 'e', frame, 'r', recorded)
  else
    call('XADD', key, id, 'e', frame, 'r', recorded, 'p', link)
  end
  log(at, recorded, link, frame)
  last, known = at, at
  recorded_last = math.max(recorded_last, tonumber(recorded))
end
local function end_with(state, type)
  ended = state
  changes[#changes + 1] = 'end'
  changes[#changes + 1] = state
  changes[#changes + 1] = 'endtype'
  changes[#changes + 1] = type
end
local kept = {}
local function keep(identity, at)
  if identity ~= '' then
    kept[identity] = true
    remember[#remember + 1] = identity
    remember[#remember + 1] = write(at) .. ' -'
  end
end
-- Whether readers may have gone on into a later epoch without the event, as far as the stream tells; where it does not, they may.
local function beyond_border(at, id)
  local found = call('XRANGE', key, '(' .. id, '+', 'COUNT', 1)[1]
  if not found then return true end
  local next_at = position(found[1])
  if next_at[1] == at[1] then return false end
  for n = 1, #found[2], 2 do
    if found[2][n] == 'p' then
      return after(at, position(found[2][n + 1]))
    end
  end
  return true
end
local function is_kept(identity)
  return kept[identity] or call('HGET', ids[0], identity) or call('HGET', ids[1], identity)
end
local function forget(member)
  call('ZREM', positions_key, member)
  call('HDEL', events_key, sub(member, 1, 1) == 'z' and sub(member, 2) or member)
end

local members = call('ZRANGE', positions_key, 0, most - 1)
local resting = #members == 0 or sub(members[1], 1, 1) == 'z'
if resting then
  -- 3. The last acknowledged position.
  local mark = position(staged[2])
  if mark and not (cut and not after(mark, cut)) then
    if not known or after(mark, known) then
      begin()
      last, known, incomplete = mark, mark, true
    end
    if staged[3] and staged[3] ~= '' and ended == '' and not deleted and known[1] == mark[1] and known[2] == mark[2] then
      end_with(staged[3], staged[4])
    end
  end
end
local states = {WORKFLOW_COMPLETED = 'completed', WORKFLOW_FAILED = 'failed', WORKFLOW_CANCELLED = 'cancelled'}
for _, member in ipairs(members) do
  local deferred = sub(member, 1, 1) == 'z'
  if deferred ~= resting then break end
  local padded = deferred and sub(member, 2) or member
  local at = {tonumber(sub(padded, 1, 16)), tonumber(sub(padded, 18))}
  local id = write(at)
  local packed = call('HGET', events_key, padded)
  local event = packed and cmsgpack.unpack(packed) or {'0', '-', '', '0', ''}
  local recorded, link, identity, offset, frame = event[1], event[2], event[3], tonumber(event[4]), event[5]
  if not packed or (cut and not after(at, cut)) or #call('XRANGE', key, id, id, 'COUNT', 1) > 0 then
    forget(member)
  elseif not deferred and (not known or after(at, known)) and not passed_over(at) then
    -- 2. In its place.
    add(at, recorded, link, frame)
    keep(identity, at)
    restored = restored + 1
    forget(member)
  elseif not deferred then
    call('ZREM', positions_key, member)
    call('ZADD', positions_key, 0, 'z' .. member)
  elseif gone or is_kept('f:' .. id) or (identity ~= '' and is_kept(identity)) then
    -- Deleted, or in the stream at another place.
    forget(member)
  else
    -- 4. Again.
    if ended ~= '' then
      log(at, recorded, link, frame, true)
      keep('f:' .. id, at)
      keep(identity, at)
    else
      local again = '-'
      local place
      if partition_epoch == EPOCH and last and not after(known, last) then
        place = {last[1], last[2] + 1}
      else
        again = write(known)
        place = {math.max(tonumber(EPOCH), known[1] + 1, last and 0 or now), known[2] + 1}
        partition_epoch = EPOCH
      end
      local flags = string.byte(frame, 6)
      if flags < 4 then
        local first = ',"firstposition":"' .. id .. '"'
        frame = struct.pack('<I4', #frame - 4 + #first) .. sub(frame, 5, 5) .. string.char(flags + (beyond_border(at, id) and 12 or 4))
          .. sub(frame, 7, offset)
          .. first .. sub(frame, offset + 1)
      end
      local when = math.max(now, recorded_last)
      add(place, format('%d', when), again, frame)
      keep('f:' .. id, place)
      keep(identity, place)
      if flags % 2 == 1 then
        local type = sub(frame, 9, 8 + string.byte(frame, 7) + 256 * string.byte(frame, 8))
        end_with(states[type] or 'ended', type)
      end
    end
    repeated = repeated + 1
    forget(member)
  end
end
flush()

if #remember > 0 then
  local slot = math.floor(math.max(now, recorded_last) / half)
  local current = ids[slot % 2]
  local room = most_ids - call('HLEN', current)
  local upto = math.min(#remember, math.max(room, 0) * 2)
  if upto < #remember then
    call('HINCRBY', meta_key, 'idrop', (#remember - upto) / 2)
  end
  for from = 1, upto, 2000 do
    call('HSET', current, unpack(remember, from, math.min(from + 1999, upto)))
  end
  if slot_stored ~= slot then
    changes[#changes + 1] = 'ir'
    changes[#changes + 1] = slot
    if upto > 0 then call('PEXPIREAT', current, (slot + 2) * half) end
  end
end
if incomplete then
  changes[#changes + 1] = 'ask'
  changes[#changes + 1] = format('%d', now + 2 * half)
end
if last and not deleted and (restored + repeated > 0 or #changes > 0 or resting) then
  -- A partition epoch that is not this one makes the next append begin a new epoch of the stream.
  call('HSET', meta_key, 'e', format('%d', last[1]), 's', format('%d', last[2]), 'rt', format('%d', recorded_last),
    'pe', partition_epoch or '0')
  -- The append script's mark of a stream with nothing unusual about it.
  call('HDEL', meta_key, 'f')
  if #changes > 0 then
    call('HSET', meta_key, unpack(changes))
  end
  if restored + repeated > 0 then
    call('HDEL', meta_key, 'ttl')
    call('PERSIST', key)
    call('PERSIST', meta_key)
    call('ZADD', P .. 'streams', format('%d', recorded_last), stream)
  end
end
if added > 0 then
  call('INCRBY', P .. 'archive:bytes', added)
end
local more = not resting or call('ZCARD', positions_key) > 0
if not more then
  call('UNLINK', positions_key, events_key, borders_key)
  call('SREM', P .. 'h', stream)
end
return {'OK', more and '1' or '0', restored, repeated}
