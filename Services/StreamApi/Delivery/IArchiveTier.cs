using AspireStreaming.Archive;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>The slowest tier. Two of them: PostgreSQL, and none where no database is configured.</summary>
internal interface IArchiveTier
{
    /// <summary>Whether there is an archive at all.</summary>
    bool IsConfigured { get; }

    /// <summary>Up to <paramref name="count"/> events after a position, oldest first.</summary>
    /// <exception cref="ArchiveUnavailableException">The archive cannot be asked.</exception>
    Task<StoredEvent[]> ReadAfterAsync(string stream, StreamPosition after, int count, CancellationToken cancellationToken);

    /// <summary>Up to <paramref name="count"/> events before a position (null = from the end), newest first.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    Task<StoredEvent[]> ReadBeforeAsync(string stream, StreamPosition? before, int count, CancellationToken cancellationToken);

    /// <summary>What it knows of a stream; null for nothing.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    Task<ColdStream?> ReadStreamAsync(string stream, CancellationToken cancellationToken);

    /// <summary>Streams by their last activity, newest first.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    Task<IReadOnlyList<ColdStream>> ListStreamsAsync(int limit, (DateTimeOffset UpdatedAt, string Name)? after, CancellationToken cancellationToken);

    /// <summary>The position just before the first event recorded at or after a time; null if there is none.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    Task<StreamPosition?> FindByTimeAsync(string stream, DateTimeOffset recordedFrom, CancellationToken cancellationToken);

    /// <summary>ID of the last archived entry of a partition's archive log.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    Task<StreamPosition> ReadWatermarkAsync(int partition, CancellationToken cancellationToken);

    /// <summary>How many events after one position and up to another it had to refuse, counted up to a limit.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    Task<int> CountDeadAsync(string stream, StreamPosition after, StreamPosition upTo, int most, CancellationToken cancellationToken);

    /// <summary>Positions after one and up to another whose event is stored at another, oldest first, up to a number.</summary>
    /// <inheritdoc cref="ReadAfterAsync" path="/exception"/>
    Task<MovedEvent[]> ReadMovedAsync(string stream, StreamPosition after, StreamPosition upTo, int count, CancellationToken cancellationToken);
}

/// <summary>A stream as the archive knows it.</summary>
internal sealed record ColdStream(
    string Name, StreamPosition First, StreamPosition Last, long Count, string? EndState, string? EndType, DateTimeOffset UpdatedAt);

/// <summary>The archive cannot be asked now.</summary>
internal sealed class ArchiveUnavailableException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>No archive is configured: it is always empty.</summary>
internal sealed class NoArchive : IArchiveTier
{
    public bool IsConfigured => false;

    public Task<StoredEvent[]> ReadAfterAsync(string stream, StreamPosition after, int count, CancellationToken cancellationToken) =>
        Task.FromResult<StoredEvent[]>([]);

    public Task<StoredEvent[]> ReadBeforeAsync(string stream, StreamPosition? before, int count, CancellationToken cancellationToken) =>
        Task.FromResult<StoredEvent[]>([]);

    public Task<ColdStream?> ReadStreamAsync(string stream, CancellationToken cancellationToken) => Task.FromResult<ColdStream?>(null);

    public Task<IReadOnlyList<ColdStream>> ListStreamsAsync(
        int limit, (DateTimeOffset UpdatedAt, string Name)? after, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<ColdStream>>([]);

    public Task<StreamPosition?> FindByTimeAsync(string stream, DateTimeOffset recordedFrom, CancellationToken cancellationToken) =>
        Task.FromResult<StreamPosition?>(null);

    public Task<StreamPosition> ReadWatermarkAsync(int partition, CancellationToken cancellationToken) => Task.FromResult(StreamPosition.Zero);

    public Task<int> CountDeadAsync(string stream, StreamPosition after, StreamPosition upTo, int most, CancellationToken cancellationToken) =>
        Task.FromResult(0);

    public Task<MovedEvent[]> ReadMovedAsync(
        string stream, StreamPosition after, StreamPosition upTo, int count, CancellationToken cancellationToken) =>
        Task.FromResult<MovedEvent[]>([]);
}
