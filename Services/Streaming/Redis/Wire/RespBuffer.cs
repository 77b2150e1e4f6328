using System.Buffers.Text;
using System.Text;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>Commands in the form in which they go to Redis (RESP2), one after another. Reused; not thread-safe.</summary>
internal sealed class RespBuffer
{
    /// <summary>What is kept for the next commands; a larger one served a burst or a large event.</summary>
    private const int KeptBytes = 1 << 20;

    private const int MinBytes = 4 << 10;

    /// <summary>The longest number, and what is around it.</summary>
    private const int MaxNumber = 20;

    /// <summary>A SHA-1 hash.</summary>
    private const int MaxHexBytes = 20;

    private byte[] _bytes = new byte[MinBytes];

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>A command begins: how many arguments follow, its name included.</summary>
    public void WriteCommand(int arguments) => WriteNumber((byte)'*', arguments);

    /// <summary>An argument.</summary>
    public void Write(ReadOnlySpan<byte> argument)
    {
        WriteNumber((byte)'$', argument.Length);
        Reserve(argument.Length + 2);
        argument.CopyTo(_bytes.AsSpan(Length));
        Length += argument.Length;
        EndLine();
    }

    /// <summary>An argument, as UTF-8.</summary>
    public void Write(string argument)
    {
        var length = Encoding.UTF8.GetByteCount(argument);
        WriteNumber((byte)'$', length);
        Reserve(length + 2);
        Length += Encoding.UTF8.GetBytes(argument, _bytes.AsSpan(Length));
        EndLine();
    }

    /// <summary>An argument, in lower-case hexadecimal.</summary>
    public void WriteHex(ReadOnlySpan<byte> argument)
    {
        Span<byte> text = stackalloc byte[2 * MaxHexBytes];
        Convert.TryToHexStringLower(argument, text, out var length);
        Write(text[..length]);
    }

    /// <summary>An argument, in decimal.</summary>
    public void Write(long argument)
    {
        Span<byte> text = stackalloc byte[MaxNumber];
        Utf8Formatter.TryFormat(argument, text, out var length);
        Write(text[..length]);
    }

    /// <summary>Forgets what was written.</summary>
    public void Clear()
    {
        Length = 0;
        if (_bytes.Length > KeptBytes)
        {
            _bytes = new byte[MinBytes];
        }
    }

    private void WriteNumber(byte mark, int number)
    {
        Reserve(1 + MaxNumber + 2);
        _bytes[Length++] = mark;
        Utf8Formatter.TryFormat(number, _bytes.AsSpan(Length), out var length);
        Length += length;
        EndLine();
    }

    private void EndLine()
    {
        _bytes[Length++] = (byte)'\r';
        _bytes[Length++] = (byte)'\n';
    }

    private void Reserve(int bytes)
    {
        if (_bytes.Length - Length < bytes)
        {
            Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, Length + bytes));
        }
    }
}
