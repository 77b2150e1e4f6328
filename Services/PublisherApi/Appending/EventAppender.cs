using System.Runtime.CompilerServices;
using AspireStreaming.PublisherApi.Healing;
using AspireStreaming.PublisherApi.Http;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Options;
using Polly.CircuitBreaker;

namespace AspireStreaming.PublisherApi.Appending;

/// <summary>Appends to the hot log and deletes from it, with retries, circuit, metrics and log. Thread-safe.</summary>
internal sealed class EventAppender(
    HotLog log,
    AcknowledgedEvents acknowledged,
    RedisPipeline pipeline,
    RedisCircuit circuit,
    PublisherMetrics metrics,
    StreamActivity activity,
    IOptions<PublisherOptions> options,
    TimeProvider time,
    ILogger<EventAppender> logger,
    IArchiveLookup? archive = null)
{
    /// <summary>How long a delete waits for the archive's word on a stream that Redis does not know.</summary>
    private static readonly TimeSpan ArchiveLookupTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Appends all events or none.</summary>
    /// <remarks>All tries share the request, whose attempt token lets the log recognise what an earlier try did.</remarks>
    /// <exception cref="OperationCanceledException">The caller gave up; the events may be in the log.</exception>
    public async Task<AppendOutcome> AppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        AppendOutcome outcome;
        try
        {
            var result = await pipeline.ExecuteAsync(
                static (state, token) => state.appender.TryAppendAsync(state.request, token), (appender: this, request), cancellationToken);
            outcome = new AppendOutcome(result);
        }
        catch (Exception exception) when (Refuse(exception, cancellationToken) is { } refused)
        {
            PublisherLog.AppendFailed(logger, request.Stream, request.Events.Count, exception);
            outcome = refused;
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            ReportCritical(request, "error");
            throw;
        }

        if (outcome.Result is { Status: AppendStatus.Appended } appended)
        {
            metrics.Appended(appended, request.Events.Count, time.GetElapsedTime(start));
            activity.Appended(request, appended);
        }
        else if (outcome.Result?.Status != AppendStatus.PositionMismatch)
        {
            // A mismatch is the answer that the caller asked for; anything else loses the event unless the caller tries again.
            ReportCritical(request, Problems.Slug(Refusals.KindOf(outcome)));
        }

        return outcome;
    }

    /// <summary>One try. What it was told is kept before anybody else hears of it.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<AppendResult> TryAppendAsync(AppendRequest request, CancellationToken cancellationToken)
    {
        var result = await log.AppendAsync(request, cancellationToken);
        if (result.Status == AppendStatus.Appended)
        {
            await acknowledged.KeepAsync(request, result, cancellationToken);
        }

        return result;
    }

    /// <summary>Deletes a stream.</summary>
    /// <returns>Null when it is deleted.</returns>
    public async Task<Problem?> DeleteAsync(string stream, bool fromArchive, CancellationToken cancellationToken)
    {
        try
        {
            var attempt = new DeleteAttempt(log, acknowledged, stream, fromArchive);
            var deleted = await pipeline.ExecuteAsync(
                static (state, token) => new ValueTask<bool>(state.RunAsync(token)), attempt, cancellationToken);
            if (!deleted && await IsArchivedAsync(stream, cancellationToken))
            {
                // The log had no answer from the archive in its short time, or the archive has learnt of the stream since.
                deleted = await pipeline.ExecuteAsync(
                    static (state, token) => new ValueTask<bool>(state.RunAsync(token)), attempt, cancellationToken);
            }

            if (!deleted)
            {
                return new Problem(ProblemKind.StreamUnknown, $"No stream '{stream}' is known.");
            }

            metrics.Deleted();
            activity.Deleted(stream);
            return null;
        }
        catch (ArchiveException exception)
        {
            PublisherLog.DeleteFailed(logger, stream, exception);
            return new Problem(ProblemKind.ArchiveUnavailable, "The hot log does not know the stream and the archive cannot be asked.")
            {
                RetryAfter = options.Value.FullRetryAfter,
            };
        }
        catch (Exception exception) when (Refuse(exception, cancellationToken) is { } refused)
        {
            PublisherLog.DeleteFailed(logger, stream, exception);
            return Refusals.Unavailable(refused.Refusal, refused.RetryAfter);
        }
    }

    /// <exception cref="ArchiveException">It cannot be asked.</exception>
    private async Task<bool> IsArchivedAsync(string stream, CancellationToken cancellationToken)
    {
        if (archive is null)
        {
            return false;
        }

        using var limit = new CancellationTokenSource(ArchiveLookupTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return !(await archive.LookUpAsync(stream, [], either.Token)).Last.IsZero;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ArchiveException(exception);
        }
    }

    /// <summary>The refusal for a failure that the caller can do something about; null for one that is our own.</summary>
    private AppendOutcome? Refuse(Exception exception, CancellationToken cancellationToken)
    {
        if (exception is BrokenCircuitException)
        {
            return new AppendOutcome(null, ProblemKind.CircuitOpen, circuit.Remaining);
        }

        if (RedisPipeline.IsUnreachable(exception, cancellationToken))
        {
            return new AppendOutcome(null, ProblemKind.RedisUnavailable, circuit.Remaining);
        }

        return RedisFaults.Classify(exception) == FaultKind.ResourceExhausted
            ? new AppendOutcome(null, ProblemKind.RedisFull, options.Value.FullRetryAfter)
            : null;
    }

    private void ReportCritical(AppendRequest request, string reason)
    {
        var critical = 0;
        string? type = null;
        foreach (var item in request.Events)
        {
            if (item.Flags.HasFlag(EventFlags.Critical))
            {
                critical++;
                type ??= item.Type;
            }
        }

        if (critical > 0)
        {
            metrics.CriticalDropped(critical);
            PublisherLog.CriticalEventDropped(logger, critical, type!, request.Stream, reason);
        }
    }

    private sealed class DeleteAttempt(HotLog log, AcknowledgedEvents acknowledged, string stream, bool fromArchive)
    {
        private bool _mayHaveRun;

        public async Task<bool> RunAsync(CancellationToken cancellationToken)
        {
            try
            {
                if (await log.TryDeleteAsync(stream, fromArchive, cancellationToken) is { } deletion)
                {
                    acknowledged.KeepDeletion(stream, deletion.Position, fromArchive, deletion.LogId);
                    return true;
                }

                // "Unknown" after a try without an answer means that the try did it.
                return _mayHaveRun;
            }
            catch (ArchiveLookupException)
            {
                // The caller asks the archive itself, and more patiently.
                return _mayHaveRun;
            }
            catch (Exception exception) when (RedisPipeline.IsUnreachable(exception, cancellationToken))
            {
                _mayHaveRun = true;
                throw;
            }
        }
    }

    private sealed class ArchiveException(Exception innerException) : Exception("The archive cannot be asked.", innerException);
}
