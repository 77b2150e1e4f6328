namespace AspireStreaming.Archive;

/// <summary>What <c>data</c> of an archived event holds; the column <c>data_kind</c>.</summary>
internal enum ArchivedDataKind : short
{
    /// <summary>Nothing: the event has no payload.</summary>
    None = 0,

    /// <summary>The JSON value of the event's <c>data</c>, as written.</summary>
    Json = 1,

    /// <summary>The text of the event's <c>data_base64</c>.</summary>
    Base64 = 2,

    /// <summary>The whole stored frame, because its form was unexpected.</summary>
    Frame = 3,
}

/// <summary>
/// An event's frame, taken apart into columns. The spans point into the frame or into the scratch memory of the
/// <see cref="ArchivedEventCodec"/> that made it, and are valid until its next use.
/// </summary>
internal ref struct ArchivedEvent
{
    /// <summary>Set in <see cref="Flags"/> when id, source and type are written with <c>\\</c> for a backslash and <c>\0</c> for U+0000.</summary>
    public const short EscapedText = 256;

    public ReadOnlySpan<byte> Id;
    public ReadOnlySpan<byte> Source;
    public ReadOnlySpan<byte> Type;

    /// <summary>The event's time in microseconds since 2000-01-01 UTC; null when it cannot be told.</summary>
    public long? Time;

    public short Flags;

    /// <summary>A JSON object; empty = null.</summary>
    public ReadOnlySpan<byte> Attributes;

    public ArchivedDataKind DataKind;
    public ReadOnlySpan<byte> Data;
}
