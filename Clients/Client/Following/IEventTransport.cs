namespace AspireStreaming.Client.Following;

/// <summary>A way to get at live events.</summary>
internal interface IEventTransport
{
    /// <summary>Where it connects to, for messages.</summary>
    Uri Url { get; }

    /// <summary>The transport's name in metrics.</summary>
    string Name { get; }

    /// <summary>Opens a connection.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="resumeToken">Where an earlier connection got to; null = where the request says.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Null when everything has ended and nothing comes after that point.</returns>
    Task<IEventConnection?> OpenAsync(FollowRequest request, string? resumeToken, CancellationToken cancellationToken);
}
