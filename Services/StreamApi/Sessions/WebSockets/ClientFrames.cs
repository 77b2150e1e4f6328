using System.Buffers.Binary;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary>Takes a text message of the client, unmasked, whole and of at most 125 bytes, before the WebSocket sees it; or leaves it.</summary>
/// <returns>Whether it is done with.</returns>
internal delegate bool ShortMessageTaker(ReadOnlySpan<byte> message);

/// <summary>
/// What a client sent, frame by frame. Short text messages, as acknowledgements are, are offered to a taker first: all of one read in
/// one go, where the WebSocket takes two reads and three waiting methods for each. Everything else, and everything after a close, goes
/// to the WebSocket as it came, a frame at a time, so that order stays what it was and all checks are its own. Not thread-safe.
/// </summary>
internal sealed class ClientFrames
{
    private const int BufferBytes = 4 << 10;
    private const int MaskBytes = 4;
    private const int ShortHead = 2 + MaskBytes;
    private const int MaxShort = 125;
    private const byte FinalText = 0x81;
    private const byte Final = 0x80;
    private const byte Masked = 0x80;
    private const int Close = 8;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _start;
    private int _end;
    private long _passing;
    private bool _isFragmented;
    private bool _passesAll;

    /// <summary>Takes short messages; without one all goes to the WebSocket.</summary>
    public ShortMessageTaker? Taker { get; set; }

    /// <summary>Where the next read goes.</summary>
    public Memory<byte> Room()
    {
        // At most a head and a short message are left.
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        _end -= _start;
        _start = 0;
        return _buffer.AsMemory(_end);
    }

    /// <summary>So many bytes were read; none: there will be no more.</summary>
    public void Add(int count)
    {
        _end += count;
        _passesAll |= count == 0;
    }

    /// <summary>Gives the WebSocket what is its own.</summary>
    /// <param name="into">Receives it.</param>
    /// <param name="isTaken">Whether messages were taken on the way.</param>
    /// <returns>How many bytes; 0 when more must be read first.</returns>
    public int Pass(Span<byte> into, out bool isTaken)
    {
        isTaken = false;
        while (true)
        {
            var there = _buffer.AsSpan(_start, _end - _start);
            if (_passing > 0 || _passesAll)
            {
                var count = Math.Min(there.Length, into.Length);
                count = _passesAll ? count : (int)Math.Min(count, _passing);
                there[..count].CopyTo(into);
                _start += count;
                _passing = Math.Max(0, _passing - count);
                return count;
            }

            if (there.Length < 2)
            {
                return 0;
            }

            var isShort = there[0] == FinalText && there[1] is >= Masked and <= Masked + MaxShort && !_isFragmented;
            if (isShort)
            {
                var length = ShortHead + (there[1] & ~Masked);
                if (there.Length < length)
                {
                    return 0;
                }

                if (Taker is { } taker && Takes(taker, there[2..ShortHead], there[ShortHead..length]))
                {
                    isTaken = true;
                    _start += length;
                    continue;
                }
            }

            if (!TryBeginPassing(there))
            {
                return 0;
            }
        }
    }

    private static bool Takes(ShortMessageTaker taker, ReadOnlySpan<byte> mask, ReadOnlySpan<byte> masked)
    {
        Span<byte> message = stackalloc byte[MaxShort];
        for (var index = 0; index < masked.Length; index++)
        {
            message[index] = (byte)(masked[index] ^ mask[index % MaskBytes]);
        }

        return taker(message[..masked.Length]);
    }

    /// <summary>Finds how long the frame is.</summary>
    /// <returns>False when its head is not there as a whole.</returns>
    private bool TryBeginPassing(ReadOnlySpan<byte> there)
    {
        const int Short = 126;
        var bits = there[1] & ~Masked;
        var head = 2 + (bits < Short ? 0 : bits == Short ? sizeof(ushort) : sizeof(ulong)) + ((there[1] & Masked) != 0 ? MaskBytes : 0);
        if (there.Length < head)
        {
            return false;
        }

        var length = bits < Short
            ? (ulong)bits
            : bits == Short ? BinaryPrimitives.ReadUInt16BigEndian(there[2..]) : BinaryPrimitives.ReadUInt64BigEndian(there[2..]);
        var code = there[0] & 0x0f;
        _passesAll = code == Close || length > int.MaxValue;
        _passing = head + (long)Math.Min(length, int.MaxValue);
        if (code < Close)
        {
            _isFragmented = (there[0] & Final) == 0;
        }

        return true;
    }
}
