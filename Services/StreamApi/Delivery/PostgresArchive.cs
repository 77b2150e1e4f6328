using System.Data.Common;
using AspireStreaming.Archive;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>The archive in PostgreSQL, each question bounded in time.</summary>
internal sealed class PostgresArchive(ArchiveReader reader, ArchiveGate gate, TimeProvider time) : IArchiveTier
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    public bool IsConfigured => true;

    public Task<StoredEvent[]> ReadAfterAsync(string stream, StreamPosition after, int count, CancellationToken cancellationToken) =>
        AskAsync(limited => reader.ReadAfterAsync(stream, after, count, limited), cancellationToken);

    public Task<StoredEvent[]> ReadBeforeAsync(string stream, StreamPosition? before, int count, CancellationToken cancellationToken) =>
        AskAsync(limited => reader.ReadBeforeAsync(stream, before, count, limited), cancellationToken);

    public Task<ColdStream?> ReadStreamAsync(string stream, CancellationToken cancellationToken) =>
        AskAsync(async limited => await reader.ReadStreamAsync(stream, limited) is { } found ? Describe(found) : null, cancellationToken);

    public Task<IReadOnlyList<ColdStream>> ListStreamsAsync(
        int limit, (DateTimeOffset UpdatedAt, string Name)? after, CancellationToken cancellationToken) => AskAsync<IReadOnlyList<ColdStream>>(
        async limited => [.. (await reader.ListStreamsAsync(limit, after, limited)).Select(Describe)], cancellationToken);

    public Task<StreamPosition?> FindByTimeAsync(string stream, DateTimeOffset recordedFrom, CancellationToken cancellationToken) =>
        AskAsync(limited => reader.FindByTimeAsync(stream, recordedFrom, limited), cancellationToken);

    public Task<StreamPosition> ReadWatermarkAsync(int partition, CancellationToken cancellationToken) =>
        AskAsync(limited => reader.ReadWatermarkAsync(partition, limited), cancellationToken);

    public Task<int> CountDeadAsync(string stream, StreamPosition after, StreamPosition upTo, int most, CancellationToken cancellationToken) =>
        AskAsync(async limited => (await reader.ReadDeadAsync(stream, after, upTo, most, limited)).Length, cancellationToken);

    public Task<MovedEvent[]> ReadMovedAsync(
        string stream, StreamPosition after, StreamPosition upTo, int count, CancellationToken cancellationToken) =>
        AskAsync(limited => reader.ReadMovedAsync(stream, after, upTo, count, limited), cancellationToken);

    /// <summary>What is kept of a stream that was deleted from the hot log is history: that it had ended says nothing of its successor.</summary>
    private static ColdStream Describe(ArchivedStream found) => new(
        found.Name, found.First, found.Last, found.Count, found.EndState, found.DeletedAt is null ? found.EndType : null, found.UpdatedAt);

    private async Task<T> AskAsync<T>(Func<CancellationToken, Task<T>> question, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(Timeout, time);
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        try
        {
            var answer = await question(limited.Token);
            gate.Succeeded();
            return answer;
        }
        catch (Exception exception) when (
            exception is DbException or TimeoutException or IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new ArchiveUnavailableException("The archive did not answer.", exception);
        }
    }
}
