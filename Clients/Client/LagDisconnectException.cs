namespace AspireStreaming.Client;

/// <summary>The subscriber fell further behind than <see cref="SubscribeOptions.Lag"/> under <see cref="DeliveryPolicy.Disconnect"/>.</summary>
public sealed class LagDisconnectException : StreamingException
{
    internal LagDisconnectException(string stream, string? resumeToken)
        : base($"{stream}: the subscriber fell too far behind and was disconnected, as it had asked for.")
    {
        Stream = stream;
        ResumeToken = resumeToken;
    }

    /// <summary>The stream that was too far ahead.</summary>
    public string Stream { get; }

    /// <summary>For <see cref="SubscribeOptions.ResumeToken"/>: goes on where this subscription stopped.</summary>
    public string? ResumeToken { get; }
}
