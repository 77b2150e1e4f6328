using System.Buffers.Binary;
using System.Text;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.Archive.Writing;

/// <summary>
/// Rows of <c>events</c> in PostgreSQL's binary COPY format. They are encoded once and can be sent again, whole or in part,
/// whichever way the batch takes.
/// </summary>
/// <remarks>Hot path: no object and no string per row. Belongs to one thread at a time.</remarks>
internal sealed class CopyBuffer
{
    /// <summary>The columns, in the order in which <see cref="Add"/> writes them.</summary>
    public const string Columns =
        "stream, epoch, seq, day, event_id, source, type, time, recorded_at, previous_epoch, previous_seq, flags, attributes, data_kind, data";

    private const short ColumnCount = 15;

    /// <summary>Everything of a row but its texts: field count, lengths, numbers.</summary>
    private const int FixedRowBytes = 2 + (ColumnCount * 4) + (6 * 8) + 4 + (2 * 2);

    /// <summary>A buffer that one huge batch has grown beyond this is given up afterwards.</summary>
    private const int MaxKeptBytes = 32 << 20;

    private readonly ArchivedEventCodec _codec = new();
    private readonly List<int> _ends = [];
    private byte[] _bytes = new byte[1 << 20];
    private int _length;

    /// <summary>Number of rows.</summary>
    public int Count => _ends.Count;

    /// <summary>Bytes of all rows.</summary>
    public int Length => _length;

    /// <summary>The bytes of rows <paramref name="from"/> to <paramref name="to"/> (exclusive).</summary>
    public ReadOnlyMemory<byte> Rows(int from, int to)
    {
        var start = from == 0 ? 0 : _ends[from - 1];
        return _bytes.AsMemory(start, (to == 0 ? 0 : _ends[to - 1]) - start);
    }

    /// <summary>Adds a row.</summary>
    public void Add(string stream, in StoredEvent stored)
    {
        var row = _codec.Split(stored.Frame);
        Reserve(FixedRowBytes + stream.Length + row.Id.Length + row.Source.Length + row.Type.Length + row.Attributes.Length + row.Data.Length);
        var recordedAt = PostgresTime.FromUnixMilliseconds(stored.RecordedAt);
        BinaryPrimitives.WriteInt16BigEndian(_bytes.AsSpan(_length), ColumnCount);
        _length += 2;
        BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(_length), stream.Length);
        _length += 4 + Encoding.ASCII.GetBytes(stream, _bytes.AsSpan(_length + 4));
        Write(stored.Position.Epoch);
        Write(stored.Position.Sequence);
        WriteDay(recordedAt);
        Write(row.Id);
        Write(row.Source);
        Write(row.Type);
        WriteOrNull(row.Time);
        Write(recordedAt);
        WriteOrNull(stored.Previous?.Epoch);
        WriteOrNull(stored.Previous?.Sequence);
        Write(row.Flags);
        if (row.Attributes.IsEmpty)
        {
            WriteNull();
        }
        else
        {
            Write(row.Attributes);
        }

        Write((short)row.DataKind);
        if (row.DataKind == ArchivedDataKind.None)
        {
            WriteNull();
        }
        else
        {
            Write(row.Data);
        }

        _ends.Add(_length);
    }

    /// <summary>Forgets all rows.</summary>
    public void Clear()
    {
        _ends.Clear();
        _length = 0;
        if (_bytes.Length > MaxKeptBytes)
        {
            _bytes = new byte[1 << 20];
        }
    }

    private void Reserve(int bytes)
    {
        if (_bytes.Length - _length < bytes)
        {
            Array.Resize(ref _bytes, Math.Max(checked(_length + bytes), _bytes.Length * 2));
        }
    }

    private void WriteDay(long microseconds)
    {
        var (day, rest) = Math.DivRem(microseconds, TimeSpan.MicrosecondsPerDay);
        BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(_length), 4);
        BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(_length + 4), (int)(rest < 0 ? day - 1 : day));
        _length += 8;
    }

    private void Write(long value)
    {
        BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(_length), 8);
        BinaryPrimitives.WriteInt64BigEndian(_bytes.AsSpan(_length + 4), value);
        _length += 12;
    }

    private void WriteOrNull(long? value)
    {
        if (value is { } number)
        {
            Write(number);
        }
        else
        {
            WriteNull();
        }
    }

    private void Write(short value)
    {
        BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(_length), 2);
        BinaryPrimitives.WriteInt16BigEndian(_bytes.AsSpan(_length + 4), value);
        _length += 6;
    }

    private void Write(ReadOnlySpan<byte> value)
    {
        BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(_length), value.Length);
        value.CopyTo(_bytes.AsSpan(_length + 4));
        _length += 4 + value.Length;
    }

    private void WriteNull()
    {
        BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(_length), -1);
        _length += 4;
    }
}
