-- Appends the events of one or more requests, each request all or none, in one step.
-- The lines that come before this text, and so make its hash, bind it in one of two ways (the epoch fence):
--   OWN set    to one partition and one partition epoch (FencedScripts). All requests are of that partition.
--   OWN nil    to one publisher, which loaded it into one process of Redis and there had it prove the epochs of the partitions
--              that it is used for (SharedScript). Each request brings the epoch of its partition.
-- Keys that are not in KEYS have the same hash tag as those.
--
-- KEYS  the stream of each request: {partition}:s:<name>
-- ARGV  per request:
--       1 the partition's epoch: alone for one event with an id that the publisher generated and with nothing unusual about it; the
--         archive log is far from full. Else there follow, with spaces before: number of events, negative if the publisher has
--         generated all their ids; most bytes in the archive log, 0 = no limit; attempt token; where there are identities, also half
--         of the idempotency window in ms and most ids per idempotency hash. What is seldom needed may follow a unit separator, see
--         extras().
--       then per event: identity (16 bytes, '' for a generated id; left out where the number is negative), frame
--
-- Replies one string, with a line for each request; an array where one failed, since that one's element is an error.
--   position archive-log-id recorded [archive-log-bytes]   of one new event without link; bytes now and then
--   OK first last accepted duplicates archive-log-bytes recorded link-or-dash archive-log-id-or-dash [position,position,... where not
--     all events are new]
--   STALE epoch   LOOKUP   ENDED state current   EXPECTED current   BACKLOG bytes
--
-- Without KEYS, where OWN is nil: ARGV are pairs of what a partition's keys begin with, and its epoch. Replies those of them whose
-- epoch is in force and was raised in this very process, which has been no replica since.
local call, format, find, sub = redis.call, string.format, string.find, string.sub

if #KEYS == 0 then
  local proven = {}
  local replication = call('INFO', 'replication')
  if find(replication, 'role:master', 1, true) then
    local process = string.match(call('INFO', 'server'), 'run_id:(%w+)') .. ' ' .. string.match(replication, 'master_replid:(%w+)')
    for n = 1, #ARGV, 2 do
      if call('GET', ARGV[n] .. 'epoch') == ARGV[n + 1] and call('GET', ARGV[n] .. 'process') == process then
        proven[#proven + 1] = ARGV[n]
      end
    end
  end
  return proven
end

-- Appends one event with a generated id to a stream with nothing unusual about it: what most publishers send, and so without detours.
-- Replies nothing where there is something unusual; else the reply, and by how much the archive log has grown.
local function plain(key, tag, stream, epoch, frame, clock, recorded, heard)
  local meta_key = tag .. 'm:' .. stream
  local meta = call('HMGET', meta_key, 's', 'rt', 'f')
  local mark, earlier = meta[3], meta[2]
  if not mark or sub(mark, 1, #epoch) ~= epoch then
    return
  end
  if earlier ~= recorded then
    local ago = clock - earlier
    if ago < 0 then
      recorded = earlier
    elseif ago >= 1000 then
      -- The index only orders listings: a second is fine enough, and spares most appends the write.
      call('ZADD', tag .. 'streams', recorded, stream)
    end
  end
  local sequence = format('%d', meta[1] + 1)
  local position = sub(mark, #epoch + 2) .. sequence
  call('XADD', key, position, 'e', frame, 'r', recorded)
  local id = call('XADD', tag .. 'archive', epoch .. '-*', 'h', 'a ' .. stream .. ' ' .. position .. ' ' .. recorded .. ' - 1', 'd', frame)
  call('HSET', meta_key, 's', sequence, 'rt', recorded)
  if heard then
    if #frame <= 65536 then
      call('PUBLISH', tag .. 'c:' .. stream, 'A ' .. position .. ' ' .. recorded .. ' - 1\n' .. frame)
    else
      call('PUBLISH', tag .. 'c:' .. stream, 'P ' .. position .. ' ' .. recorded .. ' - 1\n')
    end
  end
  return position .. ' ' .. id .. ' ' .. recorded, #frame + #stream + 100
end

-- Alone it comes from a publisher with little to do, and then nothing of what it touches is in the processor's caches: as little as can be.
if #KEYS == 1 and not find(ARGV[1], ' ', 1, true) then
  local key, epoch = KEYS[1], ARGV[1]
  local tag = OWN or sub(key, 1, find(key, ':', 1, true))
  if call('GET', tag .. 'epoch') == epoch and (not OWN or epoch == OWN_EPOCH) then
    local time = call('TIME')
    local milliseconds = time[2] / 1000
    local clock = time[1] * 1000 + milliseconds - milliseconds % 1
    local reply, size = plain(key, tag, sub(key, #tag + 3), epoch, ARGV[2], clock, format('%d', clock), true)
    if reply then
      local bytes = call('INCRBY', tag .. 'archive:bytes', size)
      return bytes % 4096 < size and reply .. format(' %d', bytes) or reply
    end
  end
end

-- To put a wake together that nobody hears costs more than to ask, where there is much of it. Who listens at a replica, or at another
-- node of a cluster, is not known here.
local function knows_listeners()
  local info = call('INFO', 'replication', 'cluster')
  return find(info, 'connected_slaves:0', 1, true) and find(info, 'cluster_enabled:0', 1, true)
end

-- What the requests' keys begin with, in the order of KEYS. Each partition's epoch and bytes in its archive log are read once and the
-- bytes written once at the end: keys and state have them one after the other, places says from where.
local tags, places, keys, state = {}, {}, {}, nil
-- How many listen on the channel of each request's stream; nil where all have to be published to.
local listeners
if OWN then
  keys[1], keys[2], places[OWN] = OWN .. 'epoch', OWN .. 'archive:bytes', 1
  state = call('MGET', keys[1], keys[2])
  if state[1] ~= OWN_EPOCH then
    local stale = {}
    for n = 1, #KEYS do
      stale[n] = 'STALE ' .. (state[1] or '')
    end
    return table.concat(stale, '\n')
  end
else
  for n = 1, #KEYS do
    local key = KEYS[n]
    local tag = sub(key, 1, find(key, ':', 1, true))
    tags[n] = tag
    if not places[tag] then
      local place = #keys + 1
      places[tag] = place
      keys[place] = tag .. 'epoch'
      keys[place + 1] = tag .. 'archive:bytes'
    end
  end
  state = call('MGET', unpack(keys))
  -- Nobody comes to listen meanwhile, and who comes later reads the stream after that.
  if #KEYS >= 4 and knows_listeners() then
    local channels = {'PUBSUB', 'NUMSUB'}
    for n = 1, #KEYS do
      channels[n + 2] = tags[n] .. 'c:' .. sub(KEYS[n], #tags[n] + 3)
    end
    listeners = call(unpack(channels))
  end
end
local time = call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local clock_text = format('%d', clock)

-- Of the request at hand: what its partition's keys begin with and where state has it, the partition's epoch, its archive log, and
-- whether anybody listens.
local TAG, PLACE, EPOCH, ARCHIVE, heard

-- Makes the function that appends whatever is not plain.
local function prepare()
  -- Split by the unit separator, which no field can contain:
  --   generated ids: '' none, 'n' first try, 'r' the publisher's own retry, 's' sent again by a client that was answered 503
  --   expected position or ''; state when the last event is terminal or ''; its type or ''
  --   archive looked up: '0' not yet, '1' done, '2' failed; last archived epoch or ''; its sequence or ''
  --   state in the archive or ''
  --   known from elsewhere: '' or 'i=<position>,...' (0-based index; from the archive)
  --   with 'r' and 's': 'i=<id>,...', the generated ids to look for in the log of the last 60 s; attempt that the ids name
  local function extras(text)
    local fields = {}
    for field in string.gmatch(text, '([^\31]*)\31') do
      fields[#fields + 1] = field
    end
    return fields
  end

  -- "specversion":"1.0","id":"..." is where every frame's JSON starts.
  local function id_at(frame)
    return 9 + string.byte(frame, 7) + 256 * string.byte(frame, 8) + 26
  end

  -- Frames go into the archive log as entries of about 64 KiB, so that its readers can bound what they fetch.
  local function log(stream, prefix, sequence, recorded, link, frames)
    local start, count, id = 1, #frames, nil
    while start <= count do
      local stop, size = start, #frames[start]
      while stop < count and size + #frames[stop + 1] <= 65536 do
        stop = stop + 1
        size = size + #frames[stop]
      end
      id = call('XADD', ARCHIVE, EPOCH .. '-*', 'h',
        format('a %s %s%d %s %s %d', stream, prefix, sequence + start - 1, recorded, start == 1 and link or '-', stop - start + 1),
        'd', table.concat(frames, '', start, stop))
      state[PLACE + 1] = (state[PLACE + 1] or 0) + size + #stream + 100
      start = stop + 1
    end
    return state[PLACE + 1], id
  end

  return function(key, stream, base)
    local head, meta_key = ARGV[base], TAG .. 'm:' .. stream
    local meta = call('HMGET', meta_key, 'e', 's', 'pe', 'rt', 'end', 'del', 'ttl', 'ask')
    local count, limit, attempt, half, most_ids, rare = -1, 0, nil, '', '', ''
    if head == EPOCH then
      -- The id that the publisher made of it is in the frame.
      attempt = string.match(ARGV[base + 1], '^[^."]+', id_at(ARGV[base + 1]))
    else
      count, limit, attempt, half, most_ids, rare = string.match(head, '^%d+ (%-?%d+) (%d+) ([^ \31]+) ?(%d*) ?(%d*)\31?(.*)$')
      count, limit = tonumber(count), tonumber(limit)
    end
    local step = count < 0 and 1 or 2
    count = math.abs(count)
    local first_frame = base + step
    local generated = step == 1 and 'n' or ''
    local expected, end_state, end_type, looked_up, archived_epoch, archived_sequence = '', '', '', '0', '', ''
    local archived_state, elsewhere, wanted_ids, named_attempt = '', '', '', attempt
    if rare ~= '' then
      generated, expected, end_state, end_type, looked_up, archived_epoch, archived_sequence,
        archived_state, elsewhere, wanted_ids, named_attempt = unpack(extras(rare))
    end

    local bytes, notes = tonumber(state[PLACE + 1] or 0), call('GET', TAG .. 'notes')
    local epoch, sequence, ended = tonumber(meta[1]), tonumber(meta[2]), meta[5] or ''
    local deleted = meta[6] == '1'
    local fresh = not epoch or deleted
    local border = fresh or meta[3] ~= EPOCH
    if border and looked_up == '0' then
      return 'LOOKUP'
    end
    local now = math.max(clock, tonumber(meta[4]) or 0)

    -- What the archive knows counts where it is ahead: Redis may have lost its tail, or forgotten the stream.
    local lost_epoch, incomplete = epoch, false
    if border and archived_epoch ~= '' then
      local known_epoch, known_sequence = tonumber(archived_epoch), tonumber(archived_sequence)
      if not epoch or known_epoch > epoch or (known_epoch == epoch and known_sequence > sequence) then
        if not deleted then
          epoch, sequence = known_epoch, known_sequence
          fresh, incomplete = false, true
          if archived_state ~= '' then
            ended = archived_state
          end
        else
          lost_epoch = math.max(epoch, known_epoch)
        end
      end
    end

    -- 1. Idempotency.
    local positions, mine = {}, {}
    -- A generated id is unique, so nothing is stored for it: a retry looks for it in the log itself, and leaves a note for a first
    -- try that was overtaken (its bytes may still wait in a connection that broke).
    local note_key = TAG .. 't:' .. named_attempt
    if notes and generated == 'n' then
      local note = call('GET', note_key)
      if note then
        local owner, rest = string.match(note, '^(%S+) (.*)$')
        for index, position in string.gmatch(rest, '(%d+)=(%S+)') do
          positions[index + 1] = position
          mine[index + 1] = owner == attempt
        end
      end
    end
    if wanted_ids ~= '' then
      local wanted, left = {}, 0
      for i, id in string.gmatch(wanted_ids, '(%d+)=([^,]+)') do
        wanted[id] = i + 1
        left = left + 1
      end
      local upper, scanned = '+', 0
      while left > 0 and scanned < 10000 do
        local page = call('XREVRANGE', key, upper, '-', 'COUNT', 100)
        for n = 1, #page do
          local fields = page[n][2]
          local frame = fields[2]
          if tonumber(fields[4]) < now - 60000 then
            left = 0
            break
          end
          local from = id_at(frame)
          local id = sub(frame, from, (find(frame, '"', from, true) or from) - 1)
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
    local slot, current, stored_slot
    if step == 2 then
      half, most_ids = tonumber(half), tonumber(most_ids)
      slot = math.floor(now / half)
      current = TAG .. (slot % 2 == 0 and 'i0:' or 'i1:') .. stream
      stored_slot = tonumber(call('HGET', meta_key, 'ir') or nil)
      -- A stream without a slot never stored an id; its hashes cannot exist.
      if stored_slot then
        local ids, at = {}, {}
        for i = 1, count do
          local id = ARGV[base - 1 + 2 * i]
          if id ~= '' and not positions[i] then
            ids[#ids + 1] = id
            at[#at + 1] = i
          end
        end
        local previous = TAG .. (slot % 2 == 0 and 'i1:' or 'i0:') .. stream
        for turn = 1, #ids > 0 and 2 or 0 do
          for first = 1, #ids, 1000 do
            local found = call('HMGET', turn == 1 and current or previous, unpack(ids, first, math.min(first + 999, #ids)))
            for j = 1, #found do
              local value = found[j]
              if value then
                local i = at[first + j - 1]
                local space = find(value, ' ', 1, true)
                positions[i] = sub(value, 1, space - 1)
                mine[i] = sub(value, space + 1) == attempt
              end
            end
          end
        end
      end
    end
    -- Of events that only the archive has left, Redis does not know the ids.
    if (step == 2 or generated == 'r') and looked_up == '0' and tonumber(meta[8] or 0) > clock then
      for i = 1, count do
        if not positions[i] and (generated == 'r' or ARGV[base - 1 + 2 * i] ~= '') then
          return 'LOOKUP'
        end
      end
    end
    -- The archive's answer counts last: an id that was forgotten and appended again is better known here.
    if elsewhere ~= '' then
      for i, position in string.gmatch(elsewhere, '(%d+)=([%d%-]+)') do
        local at = i + 1
        if not positions[at] then
          positions[at] = position
          mine[at] = generated == 'r' and (step == 1 or ARGV[base - 1 + 2 * at] == '')
        end
      end
    end
    local new, twins, first_of = {}, {}, {}
    local duplicates, own = 0, 0
    for i = 1, count do
      if positions[i] then
        if mine[i] then own = own + 1 else duplicates = duplicates + 1 end
      else
        local id = step == 2 and ARGV[base - 1 + 2 * i] or ''
        if id == '' then
          new[#new + 1] = i
        elseif first_of[id] then
          twins[i] = first_of[id]
          duplicates = duplicates + 1
        else
          first_of[id] = i
          new[#new + 1] = i
        end
      end
    end
    local last_known = (epoch and not fresh) and format('%d-%d', epoch, sequence) or '0-0'
    if #new == 0 then
      return format('OK %s %s %d %d %d 0 - - %s', positions[1], positions[count], own, duplicates, bytes, table.concat(positions, ','))
    end

    -- 2. End of stream, 3. expected position, 4. backlog.
    if ended ~= '' and not deleted then
      return 'ENDED ' .. ended .. ' ' .. last_known
    end
    if expected ~= '' and expected ~= last_known then
      return 'EXPECTED ' .. last_known
    end
    if limit > 0 and bytes > limit then
      return 'BACKLOG ' .. format('%d', bytes)
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
    local prefix = format('%d-', epoch)
    local recorded = format('%d', now)
    local first_sequence = sequence + 1
    local frames, remember = {}, {}
    for n = 1, #new do
      local i = new[n]
      local frame = ARGV[first_frame + (i - 1) * step]
      sequence = sequence + 1
      local position = prefix .. sequence
      positions[i] = position
      if n == 1 and link then
        call('XADD', key, position, 'e', frame, 'r', recorded, 'p', link)
      else
        call('XADD', key, position, 'e', frame, 'r', recorded)
      end
      frames[n] = frame
      if step == 2 then
        local id = ARGV[base - 1 + 2 * i]
        if id ~= '' then
          remember[#remember + 1] = id
          remember[#remember + 1] = position .. ' ' .. attempt
        end
      end
    end
    for i, twin in pairs(twins) do
      positions[i] = positions[twin]
    end
    local log_id
    bytes, log_id = log(stream, prefix, first_sequence, recorded, link, frames)

    local changes = {'s', sequence, 'rt', recorded}
    if border then
      changes[5], changes[6], changes[7], changes[8] = 'e', format('%d', epoch), 'pe', EPOCH
    end
    if incomplete then
      -- For as long as an id that Redis had would have been remembered: longest, where this request does not say.
      changes[#changes + 1] = 'ask'
      changes[#changes + 1] = format('%d', clock + (step == 2 and 2 * half or 3888000000))
    end
    if #remember > 0 then
      if stored_slot ~= slot then
        changes[#changes + 1] = 'ir'
        changes[#changes + 1] = slot
      end
      local room = most_ids - call('HLEN', current)
      if room * 2 < #remember then
        call('HINCRBY', meta_key, 'idrop', math.floor((#remember - math.max(room, 0) * 2) / 2))
      end
      local upto = math.min(#remember, math.max(room, 0) * 2)
      for from = 1, upto, 2000 do
        call('HSET', current, unpack(remember, from, math.min(from + 1999, upto)))
      end
      if upto > 0 and stored_slot ~= slot then
        call('PEXPIREAT', current, (slot + 2) * half)
      end
    end
    if generated == 'r' or generated == 's' then
      local note = {attempt}
      for i, id in string.gmatch(wanted_ids, '(%d+)=([^,]+)') do
        note[#note + 1] = string.match(id, '%.(%d+)$') .. '=' .. positions[i + 1]
      end
      call('SET', note_key, table.concat(note, ' '), 'PX', 60000)
      call('SET', TAG .. 'notes', 1, 'PX', 60000)
      notes = 1
    end
    local ends = end_state ~= '' and new[#new] == count
    if ends then
      changes[#changes + 1] = 'end'
      changes[#changes + 1] = end_state
      changes[#changes + 1] = 'endtype'
      changes[#changes + 1] = end_type
    elseif not notes then
      -- The mark of a stream with nothing unusual about it, for the short way above; who changes that takes it away.
      changes[#changes + 1] = 'f'
      changes[#changes + 1] = EPOCH .. ' ' .. prefix
    end
    if deleted then
      call('DEL', meta_key)
    end
    call('HSET', meta_key, unpack(changes))
    if meta[7] then
      call('HDEL', meta_key, 'ttl')
    end
    if ends or notes then
      call('HDEL', meta_key, 'f')
    end
    if meta[7] or deleted then
      call('PERSIST', key)
      call('PERSIST', meta_key)
    end
    -- The index only orders listings: a second is fine enough, and spares most appends the write.
    if fresh or now - (tonumber(meta[4]) or 0) >= 1000 then
      call('ZADD', TAG .. 'streams', recorded, stream)
    end

    local channel = TAG .. 'c:' .. stream
    if heard and (#frames < 8 or listeners or not knows_listeners() or call('PUBSUB', 'NUMSUB', channel)[2] > 0) then
      local wake, size = format('%s%d %s %s %d\n', prefix, first_sequence, recorded, link or '-', #frames), 0
      for n = 1, #frames do
        size = size + #frames[n]
      end
      if size <= 65536 then
        frames[0] = 'A ' .. wake
        wake = table.concat(frames, '', 0)
      else
        wake = 'P ' .. wake
      end
      call('PUBLISH', channel, wake)
    end
    return format('OK %s %s %d %d %d %s %s %s%s', positions[1], positions[count], #new + own, duplicates, bytes, recorded, link or '-',
      log_id, #new == count and '' or ' ' .. table.concat(positions, ','))
  end
end

local replies, base, failed, general = {}, 1, false, nil
for n = 1, #KEYS do
  local key, tag, head, frames = KEYS[n], OWN or tags[n], ARGV[base], 1
  if tag ~= TAG then
    TAG, PLACE, ARCHIVE = tag, places[tag], tag .. 'archive'
    EPOCH = state[PLACE]
  end
  heard = not listeners or listeners[2 * n] > 0
  if head == EPOCH or EPOCH and find(head, EPOCH .. ' ', 1, true) == 1 then
    -- What is wrong with one stream is no other request's business.
    local stream = sub(key, #tag + 3)
    local done, reply, size = true, nil, nil
    if head == EPOCH then
      done, reply, size = pcall(plain, key, tag, stream, EPOCH, ARGV[base + 1], clock, clock_text, heard)
      if size then
        local bytes = (state[PLACE + 1] or 0) + size
        state[PLACE + 1] = bytes
        if bytes % 4096 < size then
          reply = reply .. format(' %d', bytes)
        end
      end
    end
    if done and not reply then
      general = general or prepare()
      done, reply = pcall(general, key, stream, base)
    end
    if not done then
      failed = true
      reply = type(reply) == 'table' and reply or {err = tostring(reply)}
    end
    replies[n] = reply
  else
    replies[n] = 'STALE ' .. (EPOCH or '')
  end
  if head ~= EPOCH then
    frames = tonumber(string.match(head, ' (%-?%d+)') or -1)
    frames = frames < 0 and -frames or 2 * frames
  end
  base = base + 1 + frames
end
local sizes = {}
for place = 2, #keys, 2 do
  -- What was read and not changed is still a string.
  if type(state[place]) == 'number' then
    sizes[#sizes + 1] = keys[place]
    sizes[#sizes + 1] = format('%d', state[place])
  end
end
if #sizes > 0 then
  call('MSET', unpack(sizes))
end
if #replies == 1 then
  return replies[1]
end
return failed and replies or table.concat(replies, '\n')
