namespace AspireStreaming.Client.Following;

/// <summary>A connection that brings items.</summary>
internal interface IEventConnection : IAsyncDisposable
{
    /// <summary>Where to resume after the items read so far; null while unknown.</summary>
    string? ResumeToken { get; }

    /// <summary>The pause before a reconnect that the service asked for; null = it did not.</summary>
    TimeSpan? Retry { get; }

    /// <summary>The next item; null when the service has closed the connection in good order.</summary>
    ValueTask<StreamItem?> ReadAsync(CancellationToken cancellationToken);
}
