namespace AspireStreaming.Client;

/// <summary>
/// The service announced that events are missing, and the subscriber had no way to be told (<see cref="SubscribeOptions.OnNotice"/>).
/// A subscription that starts after <see cref="ResumeAfter"/> goes on behind the hole.
/// </summary>
public sealed class EventsMissingException : StreamingException
{
    internal EventsMissingException(StreamNotice notice, StreamPosition? resumeAfter)
        : base($"{notice.Stream}: events are missing: {notice.Name} {notice.Json}")
    {
        Notice = notice;
        ResumeAfter = resumeAfter;
    }

    /// <summary>The announcement.</summary>
    public StreamNotice Notice { get; }

    /// <summary>The position behind the hole; null if it was not said.</summary>
    public StreamPosition? ResumeAfter { get; }
}
