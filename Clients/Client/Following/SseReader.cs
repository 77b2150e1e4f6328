using System.Buffers;
using System.Text;

namespace AspireStreaming.Client.Following;

/// <summary>
/// Reads server-sent events incrementally, as the HTML standard parses them, wherever the network cut the bytes. Frames that only
/// move the last event ID are returned too (<see cref="HasData"/> is false). What a frame exposes is valid until the next read.
/// </summary>
/// <remarks>Allocates when a buffer grows, when the event type changes, and for <see cref="LastEventId"/> when it is asked for.</remarks>
/// <param name="stream">The response's body; disposed with the reader.</param>
/// <param name="idleTimeout">
/// Longest time without a byte before the connection counts as dead; heartbeats are bytes. Infinite = no limit.
/// </param>
/// <param name="time">The clock.</param>
/// <param name="maxFrameBytes">Largest line and largest data of a frame.</param>
internal sealed class SseReader(Stream stream, TimeSpan idleTimeout, TimeProvider time, int maxFrameBytes = SseReader.DefaultMaxFrameBytes)
    : IAsyncDisposable
{
    public const int DefaultMaxFrameBytes = 8 * 1024 * 1024;

    private const string DefaultType = "message";

    private readonly ArrayBufferWriter<byte> _data = new(1024);
    private readonly ArrayBufferWriter<byte> _id = new(64);
    private readonly ArrayBufferWriter<byte> _pendingId = new(64);
    private readonly ArrayBufferWriter<byte> _type = new(64);

    private byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;
    private int _scanned;
    private bool _atStart = true;
    private bool _skipLineFeed;
    private bool _dispatched;
    private bool _hasType;
    private bool _typeIsCached;
    private string _cachedType = DefaultType;
    private string? _lastEventId;

    /// <summary>Whether the frame is an event; false when it only moved the last event ID.</summary>
    public bool HasData { get; private set; }

    /// <summary>Whether the frame carried an <c>id</c>.</summary>
    public bool HasId { get; private set; }

    /// <summary>The event's data, lines joined by LF.</summary>
    public ReadOnlyMemory<byte> Data => _data.WrittenMemory;

    /// <summary>The event's type; <c>message</c> when it named none.</summary>
    public string EventType
    {
        get
        {
            if (!_hasType)
            {
                return DefaultType;
            }

            if (!_typeIsCached)
            {
                _cachedType = Encoding.UTF8.GetString(_type.WrittenSpan);
                _typeIsCached = true;
            }

            return _cachedType;
        }
    }

    /// <summary>The last event ID after this frame, from this or an earlier one.</summary>
    public string LastEventId => _lastEventId ??= Encoding.UTF8.GetString(_id.WrittenSpan);

    /// <summary><see cref="LastEventId"/> in UTF-8.</summary>
    public ReadOnlySpan<byte> LastEventIdUtf8 => _id.WrittenSpan;

    /// <summary>The reconnection time that the server asked for last.</summary>
    public TimeSpan? Retry { get; private set; }

    /// <summary>Reads the next frame.</summary>
    /// <returns>False at the end of the body; a frame that it cuts off is discarded.</returns>
    /// <exception cref="IOException">The connection broke.</exception>
    /// <exception cref="TimeoutException">No byte for too long.</exception>
    /// <exception cref="InvalidDataException">A frame is larger than allowed.</exception>
    public ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        if (_dispatched)
        {
            _dispatched = false;
            ClearFrame();
        }

        return TryReadBuffered() ? new ValueTask<bool>(true) : ReadSlowAsync(cancellationToken);
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private async ValueTask<bool> ReadSlowAsync(CancellationToken cancellationToken)
    {
        while (await FillAsync(cancellationToken))
        {
            if (TryReadBuffered())
            {
                return true;
            }
        }

        return false;
    }

    private bool TryReadBuffered()
    {
        while (TryTakeLine(out var line))
        {
            if (!line.IsEmpty)
            {
                ReadField(line);
            }
            else if (TryDispatch())
            {
                return true;
            }
        }

        return false;
    }

    private bool TryTakeLine(out ReadOnlySpan<byte> line)
    {
        line = default;
        if (_skipLineFeed && _start < _end)
        {
            _skipLineFeed = false;
            if (_buffer[_start] == '\n')
            {
                _start++;
            }
        }

        var rest = _buffer.AsSpan(_start, _end - _start);
        var found = rest[_scanned..].IndexOfAny((byte)'\r', (byte)'\n');
        if (found < 0)
        {
            _scanned = rest.Length;
            return false;
        }

        var length = _scanned + found;
        line = rest[..length];

        // A CR ends the line at once: waiting for the LF that may follow would hold back an event.
        _skipLineFeed = rest[length] == '\r';
        _start += length + 1;
        _scanned = 0;
        if (_atStart)
        {
            _atStart = false;
            if (line.StartsWith("\uFEFF"u8))
            {
                line = line[3..];
            }
        }

        return true;
    }

    private void ReadField(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        if (colon == 0)
        {
            return;
        }

        var name = colon < 0 ? line : line[..colon];
        var value = colon < 0 ? default : line[(colon + 1)..];
        if (!value.IsEmpty && value[0] == ' ')
        {
            value = value[1..];
        }

        if (name.SequenceEqual("data"u8))
        {
            if (_data.WrittenCount + value.Length + 1 > maxFrameBytes)
            {
                throw TooLarge();
            }

            if (HasData)
            {
                _data.Write("\n"u8);
            }

            HasData = true;
            _data.Write(value);
        }
        else if (name.SequenceEqual("event"u8))
        {
            if (!_type.WrittenSpan.SequenceEqual(value))
            {
                Replace(_type, value);
                _typeIsCached = false;
            }

            _hasType = !value.IsEmpty;
        }
        else if (name.SequenceEqual("id"u8))
        {
            if (!value.Contains((byte)0))
            {
                Replace(_pendingId, value);
                HasId = true;
            }
        }
        else if (name.SequenceEqual("retry"u8))
        {
            if (value.Length is > 0 and <= 9 && !value.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            {
                Retry = TimeSpan.FromMilliseconds(int.Parse(value, provider: null));
            }
        }
    }

    private bool TryDispatch()
    {
        // Only a whole frame moves the cursor: an ID that was read before the connection broke belongs to an event that was not.
        if (HasId && !_id.WrittenSpan.SequenceEqual(_pendingId.WrittenSpan))
        {
            Replace(_id, _pendingId.WrittenSpan);
            _lastEventId = null;
        }

        if (!HasData && !HasId)
        {
            ClearFrame();
            return false;
        }

        _dispatched = true;
        return true;
    }

    private void ClearFrame()
    {
        HasData = false;
        HasId = false;
        _hasType = false;
        _data.ResetWrittenCount();
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            if (_buffer.Length >= maxFrameBytes)
            {
                throw TooLarge();
            }

            Array.Resize(ref _buffer, (int)Math.Min(_buffer.Length * 2L, maxFrameBytes));
        }

        var read = stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        int count;
        if (read.IsCompleted)
        {
            count = await read;
        }
        else
        {
            try
            {
                count = await read.AsTask().WaitAsync(idleTimeout, time, cancellationToken);
            }
            catch (TimeoutException exception)
            {
                throw new TimeoutException($"nothing was heard for {idleTimeout.TotalSeconds:0.#} s, not even a heartbeat", exception);
            }
        }

        _end += count;
        return count > 0;
    }

    private InvalidDataException TooLarge() => new($"A server-sent event is larger than {maxFrameBytes} bytes.");

    private static void Replace(ArrayBufferWriter<byte> target, ReadOnlySpan<byte> value)
    {
        target.ResetWrittenCount();
        target.Write(value);
    }
}
