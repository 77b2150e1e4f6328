namespace AspireStreaming.Streaming.Redis;

/// <summary>What a wake message says.</summary>
public enum WakeKind
{
    /// <summary>Events were appended, and are in the message.</summary>
    Appended,

    /// <summary>Events were appended, too large for the message; they are in the log.</summary>
    AppendedToLog,

    /// <summary>The stream was deleted.</summary>
    Deleted,
}

/// <summary>A message on a stream's wake channel (<see cref="StreamKeys.WakeChannel"/>).</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Batch">To which events.</param>
public readonly record struct WakeMessage(WakeKind Kind, LogBatch Batch)
{
    /// <summary>Parses a message's bytes.</summary>
    /// <exception cref="InvalidDataException">They are no wake message.</exception>
    public static WakeMessage Parse(ReadOnlyMemory<byte> message)
    {
        var span = message.Span;
        var end = span.IndexOf((byte)'\n');
        if (end < 3 || span[1] != ' ')
        {
            throw new InvalidDataException("A wake message is damaged.");
        }

        var kind = span[0] switch
        {
            (byte)'A' => WakeKind.Appended,
            (byte)'P' => WakeKind.AppendedToLog,
            (byte)'D' => WakeKind.Deleted,
            _ => throw new InvalidDataException($"A wake message has the unknown kind '{(char)span[0]}'."),
        };
        return new WakeMessage(kind, LogBatch.Parse(span[2..end], message[(end + 1)..]));
    }
}
