using System.Text;
using AspireStreaming.Streaming.Contracts;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis;

/// <summary>Reads raw replies of stream commands, which only newer versions of the client library know.</summary>
internal static class RedisReplies
{
    /// <summary>Fixed cost that the append script counts for an archive-log entry, bytes; append.lua says the same number.</summary>
    private const int EntryOverhead = 100;

    /// <summary>Adds the events of a reply; an entry that cannot be read is left out, which position arithmetic shows as a hole.</summary>
    /// <returns>Number of entries in the reply, and the last one's position.</returns>
    public static (int Entries, StreamPosition Last) AddStreamEntries(RedisResult reply, List<StoredEvent> events)
    {
        var entries = (RedisResult[]?)reply ?? [];
        var last = StreamPosition.Zero;
        foreach (var entry in entries)
        {
            var (id, fields) = Entry(entry);
            last = id;
            ReadOnlyMemory<byte> frame = default;
            long recordedAt = 0;
            StreamPosition? previous = null;
            for (var field = 0; field + 1 < fields.Length; field += 2)
            {
                switch (((byte[])fields[field]!)[0])
                {
                    case (byte)'e':
                        frame = (byte[])fields[field + 1]!;
                        break;
                    case (byte)'r':
                        recordedAt = (long)fields[field + 1];
                        break;
                    case (byte)'p':
                        previous = StreamPosition.Parse((byte[])fields[field + 1]!);
                        break;
                    default:
                        break;
                }
            }

            if (EventFrame.TryRead(frame, out var read))
            {
                events.Add(new StoredEvent(id, recordedAt, read, previous));
            }
        }

        return (entries.Length, last);
    }

    public static ArchiveLogEntry[] ArchiveLogEntries(RedisResult reply)
    {
        var entries = (RedisResult[]?)reply ?? [];
        var read = new ArchiveLogEntry[entries.Length];
        for (var index = 0; index < entries.Length; index++)
        {
            var (id, fields) = Entry(entries[index]);
            byte[] header = [];
            byte[] frames = [];
            var deleteFromArchive = false;
            for (var field = 0; field + 1 < fields.Length; field += 2)
            {
                var value = (byte[])fields[field + 1]!;
                switch (((byte[])fields[field]!)[0])
                {
                    case (byte)'h':
                        header = value;
                        break;
                    case (byte)'d':
                        frames = value;
                        break;
                    case (byte)'x':
                        deleteFromArchive = value is [(byte)'1'];
                        break;
                    default:
                        break;
                }
            }

            // <kind> <stream or -> <position> <recorded> <previous or -> <count>
            var name = header.Length > 2 ? header.AsSpan(2) : [];
            var end = name.IndexOf((byte)' ');
            var rest = end < 0 ? default : name[(end + 1)..];
            name = end < 0 ? name : name[..end];
            var kind = header.Length > 0 ? header[0] : (byte)0;
            var stream = kind == 'r' ? "" : Encoding.ASCII.GetString(name);
            var counted = frames.Length + stream.Length + EntryOverhead;
            read[index] = kind switch
            {
                (byte)'a' => new ArchiveLogEntry(id, ArchiveLogKind.Append, stream, LogBatch.Parse(rest, frames), false, counted),
                (byte)'d' => new ArchiveLogEntry(id, ArchiveLogKind.Delete, stream, LogBatch.Parse(rest, frames), deleteFromArchive, counted),
                (byte)'r' => new ArchiveLogEntry(id, ArchiveLogKind.Raise, "", default, false, counted),
                _ => throw new InvalidDataException($"The archive log has an entry of the unknown kind '{(char)kind}' at {id}."),
            };
        }

        return read;
    }

    private static (StreamPosition Id, RedisResult[] Fields) Entry(RedisResult entry)
    {
        var parts = (RedisResult[])entry!;
        return (StreamPosition.Parse((byte[])parts[0]!), (RedisResult[])parts[1]!);
    }
}
