namespace AspireStreaming.PublisherApi.Http;

/// <summary>What each kind of problem is on the wire; a part of the contract, never renamed.</summary>
internal static class Problems
{
    /// <summary>The problem's type.</summary>
    public static string Uri(ProblemKind kind) => "urn:aspirestreaming:problem:" + Slug(kind);

    /// <summary>The last part of the problem's type URI, which also names it in metrics.</summary>
    public static string Slug(ProblemKind kind) => kind switch
    {
        ProblemKind.InvalidStream => "invalid-stream",
        ProblemKind.InvalidParameter => "invalid-parameter",
        ProblemKind.InvalidJson => "invalid-json",
        ProblemKind.InvalidEvent => "invalid-event",
        ProblemKind.IdleTimeout => "idle-timeout",
        ProblemKind.TokenExpired => "token-expired",
        ProblemKind.Forbidden => "forbidden",
        ProblemKind.StreamUnknown => "stream-unknown",
        ProblemKind.StreamEnded => "stream-ended",
        ProblemKind.PositionMismatch => "position-mismatch",
        ProblemKind.TooLarge => "too-large",
        ProblemKind.UnsupportedMediaType => "unsupported-media-type",
        ProblemKind.TooManyRequests => "too-many-requests",
        ProblemKind.RateLimited => "rate-limited",
        ProblemKind.RedisUnavailable => "redis-unavailable",
        ProblemKind.CircuitOpen => "circuit-open",
        ProblemKind.RedisFull => "redis-full",
        ProblemKind.ArchiveBacklogFull => "archive-backlog-full",
        ProblemKind.ArchiveUnavailable => "archive-unavailable",
        ProblemKind.Draining => "draining",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    public static string Title(ProblemKind kind) => kind switch
    {
        ProblemKind.InvalidStream => "The stream name is not valid",
        ProblemKind.InvalidParameter => "A parameter is not valid",
        ProblemKind.InvalidJson => "The body is not valid JSON",
        ProblemKind.InvalidEvent => "An event is not valid",
        ProblemKind.IdleTimeout => "The upload was silent for too long",
        ProblemKind.TokenExpired => "The token has expired",
        ProblemKind.Forbidden => "Not allowed",
        ProblemKind.StreamUnknown => "The stream is not known",
        ProblemKind.StreamEnded => "The stream has ended",
        ProblemKind.PositionMismatch => "The stream is not at the expected position",
        ProblemKind.TooLarge => "The request is too large",
        ProblemKind.UnsupportedMediaType => "The content type is not supported",
        ProblemKind.TooManyRequests => "Too much is being published at a time",
        ProblemKind.RateLimited => "You publish too fast",
        ProblemKind.RedisUnavailable => "The hot log is not reachable",
        ProblemKind.CircuitOpen => "The hot log is not reachable",
        ProblemKind.RedisFull => "The hot log is full",
        ProblemKind.ArchiveBacklogFull => "The archive is too far behind",
        ProblemKind.ArchiveUnavailable => "The archive is not reachable",
        ProblemKind.Draining => "The service is stopping",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    public static int Status(ProblemKind kind) => kind switch
    {
        ProblemKind.InvalidStream or ProblemKind.InvalidParameter or ProblemKind.InvalidJson or ProblemKind.InvalidEvent
            => StatusCodes.Status400BadRequest,
        ProblemKind.IdleTimeout => StatusCodes.Status408RequestTimeout,
        ProblemKind.TokenExpired => StatusCodes.Status401Unauthorized,
        ProblemKind.Forbidden => StatusCodes.Status403Forbidden,
        ProblemKind.StreamUnknown => StatusCodes.Status404NotFound,
        ProblemKind.StreamEnded or ProblemKind.PositionMismatch => StatusCodes.Status409Conflict,
        ProblemKind.TooLarge => StatusCodes.Status413PayloadTooLarge,
        ProblemKind.UnsupportedMediaType => StatusCodes.Status415UnsupportedMediaType,
        ProblemKind.TooManyRequests or ProblemKind.RateLimited => StatusCodes.Status429TooManyRequests,
        ProblemKind.RedisUnavailable or ProblemKind.CircuitOpen or ProblemKind.RedisFull or ProblemKind.ArchiveBacklogFull
            or ProblemKind.ArchiveUnavailable or ProblemKind.Draining => StatusCodes.Status503ServiceUnavailable,
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
