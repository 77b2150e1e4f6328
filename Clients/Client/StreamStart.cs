namespace AspireStreaming.Client;

/// <summary>One of the streams of a subscription to several.</summary>
/// <param name="Stream">Its name.</param>
/// <param name="From">Where it starts.</param>
public sealed record StreamStart(string Stream, StartAt From = default)
{
    /// <summary>A stream from its beginning.</summary>
    public static implicit operator StreamStart(string stream) => FromString(stream);

    /// <summary>As the operator does.</summary>
    public static StreamStart FromString(string stream) => new(stream);
}
