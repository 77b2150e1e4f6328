namespace AspireStreaming.Client;

/// <summary>
/// Positions prove that events are missing without announcement, came twice or out of order: a fault of the service or of something
/// between. See <see cref="SubscribeOptions.CheckContinuity"/>.
/// </summary>
public sealed class ContinuityException : StreamingException
{
    internal ContinuityException(string stream, string fault)
        : base($"{stream}: {fault}.")
    {
        Stream = stream;
    }

    /// <summary>The stream.</summary>
    public string Stream { get; }
}
