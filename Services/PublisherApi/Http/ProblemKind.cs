namespace AspireStreaming.PublisherApi.Http;

/// <summary>Every way in which a publish can be refused; the names of the wire are in <see cref="Problems"/>.</summary>
internal enum ProblemKind
{
    InvalidStream,
    InvalidParameter,
    InvalidJson,
    InvalidEvent,
    IdleTimeout,
    TokenExpired,
    Forbidden,
    StreamUnknown,
    StreamEnded,
    PositionMismatch,
    TooLarge,
    UnsupportedMediaType,
    TooManyRequests,
    RateLimited,
    RedisUnavailable,
    CircuitOpen,
    RedisFull,
    ArchiveBacklogFull,
    ArchiveUnavailable,
    Draining,
}
