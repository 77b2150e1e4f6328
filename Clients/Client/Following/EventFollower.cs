using System.Diagnostics;
using System.Runtime.CompilerServices;
using AspireStreaming.Client.Diagnostics;
using AspireStreaming.Client.Http;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.Client.Following;

/// <summary>Follows streams over any transport and resumes exactly where it was after any break.</summary>
/// <param name="transport">How to connect.</param>
/// <param name="request">What to follow.</param>
/// <param name="connectWithin">How long to try for the first connection; after it, for ever.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told of breaks and holes.</param>
internal sealed class EventFollower(
    IEventTransport transport, FollowRequest request, TimeSpan connectWithin, TimeProvider time, ILogger logger)
{
    private const string LagReason = "lag";

    private static readonly TimeSpan DefaultRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ShortestDelay = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(10);

    private readonly Dictionary<string, ContinuityCheck> _checks = [];
    private readonly HashSet<string> _ended = [];
    private readonly SubscribeOptions _options = request.Options;

    /// <summary>Reads until all streams have ended or the caller stops.</summary>
    /// <exception cref="ServiceUnreachableException">No connection in time.</exception>
    /// <exception cref="ApiException">The service refuses.</exception>
    public async IAsyncEnumerable<StreamItem> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var connected = false;
        var failures = 0;
        var retry = DefaultRetry;
        var resumeToken = _options.ResumeToken;
        while (true)
        {
            var (connection, fault) = await OpenAsync(resumeToken, cancellationToken);
            TimeSpan? drain = null;
            failures++;
            if (fault is null)
            {
                connected = true;
                if (connection is null)
                {
                    yield break;
                }

                await using (connection)
                {
                    while (true)
                    {
                        (var item, fault) = await ReadItemAsync(connection, cancellationToken);
                        if (item is null)
                        {
                            break;
                        }

                        failures = 0;
                        if (IsRepeated(item))
                        {
                            continue;
                        }

                        Check(item);
                        resumeToken = connection.ResumeToken ?? resumeToken;
                        yield return item;
                        if (item is DrainNotice notice)
                        {
                            drain = notice.RetryAfter;
                            ThrowIfTooSlow(notice, resumeToken);
                        }
                        else if (item is EndNotice && _ended.Count == request.Streams.Count)
                        {
                            yield break;
                        }
                    }

                    retry = connection.Retry ?? retry;
                }
            }
            else if (!connected && time.GetElapsedTime(started) >= connectWithin)
            {
                throw new ServiceUnreachableException(
                    $"no connection to {transport.Url} within {connectWithin.TotalSeconds:0.#} s: {Faults.Describe(fault)}", fault);
            }

            var delay = Delay(failures, retry, drain, fault);
            ClientMetrics.Reconnects.Add(1, new KeyValuePair<string, object?>("transport", transport.Name));
            if (logger.IsEnabled(LogLevel.Information))
            {
                logger.ConnectionLost(Describe(), fault is null ? "closed by the service" : Faults.Describe(fault), delay);
            }

            yield return new ConnectionLost(request.Stream, delay, fault) { ResumeToken = resumeToken };
            await Task.Delay(delay, time, cancellationToken);
        }
    }

    private static TimeSpan Delay(int failures, TimeSpan retry, TimeSpan? drain, Exception? fault)
    {
        // The server spreads its clients by what it asks each of them for, so that is the least; a little more spreads them further.
        var least = drain ?? retry;
        var hint = (fault as ApiException)?.RetryAfter;
        var delay = failures <= 1 && hint is null
            ? least * (1 + (Random.Shared.NextDouble() / 4))
            : Retry.Delay(Math.Max(failures, 1), least, LongestDelay, hint);
        return delay > ShortestDelay ? delay : ShortestDelay;
    }

    private async Task<(IEventConnection? Connection, Exception? Fault)> OpenAsync(string? resumeToken, CancellationToken cancellationToken)
    {
        using var activity = ClientDiagnostics.Source.StartActivity("subscribe", ActivityKind.Client);
        activity?.SetTag("messaging.system", ClientDiagnostics.System)
            .SetTag("messaging.operation.type", "receive")
            .SetTag("messaging.destination.name", Describe())
            .SetTag("aspirestreaming.transport", transport.Name)
            .SetTag("aspirestreaming.resume", resumeToken is not null);
        try
        {
            return (await transport.OpenAsync(request, resumeToken, cancellationToken), null);
        }
        catch (Exception exception)
        {
            activity.Fail(exception);
            if (Faults.IsTransient(exception) && !cancellationToken.IsCancellationRequested)
            {
                return (null, exception);
            }

            throw;
        }
    }

    private static async ValueTask<(StreamItem? Item, Exception? Fault)> ReadItemAsync(IEventConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            return (await connection.ReadAsync(cancellationToken), null);
        }
        catch (Exception exception) when (Faults.IsTransient(exception) && !cancellationToken.IsCancellationRequested)
        {
            return (null, exception);
        }
    }

    /// <summary>A durable cursor stands where the service last heard an acknowledgement, so a new connection may begin before what we had.</summary>
    private bool IsRepeated(StreamItem item) =>
        _options.Cursor is not null && item is StreamEvent { Position: var position } && CheckOf(item.Stream).Last >= position;

    private void Check(StreamItem item)
    {
        string? fault = null;
        switch (item)
        {
            case StreamEvent received:
                ClientMetrics.Consumed.Add(1, new KeyValuePair<string, object?>("transport", transport.Name));
                fault = CheckOf(item.Stream).Event(received.Position);
                break;
            case CursorMoved { Position: { } position }:
                CheckOf(item.Stream).Cursor(position);
                break;
            case StreamNotice notice:
                fault = CheckOf(item.Stream).Notice(notice);
                Note(notice);
                break;
            default:
                break;
        }

        if (fault is not null && _options.CheckContinuity)
        {
            logger.ContinuityBroken(item.Stream, fault);
            throw new ContinuityException(item.Stream, fault);
        }
    }

    private void Note(StreamNotice notice)
    {
        if (notice is EndNotice)
        {
            _ended.Add(notice.Stream);
        }
        else if (notice.IsLoss)
        {
            ClientMetrics.Losses.Add(1, new KeyValuePair<string, object?>("notice", notice.Name));
            logger.EventsMissing(notice.Stream, notice.Name, notice.Json);
        }
    }

    private void ThrowIfTooSlow(DrainNotice notice, string? resumeToken)
    {
        if (notice.Reason == LagReason && _options.Policy == DeliveryPolicy.Disconnect)
        {
            throw new LagDisconnectException(notice.Stream, resumeToken);
        }
    }

    private ContinuityCheck CheckOf(string stream)
    {
        if (!_checks.TryGetValue(stream, out var check))
        {
            check = new ContinuityCheck(request.IsFiltered);
            _checks.Add(stream, check);
        }

        return check;
    }

    private string Describe() => request.IsMultiple ? $"{request.Streams.Count} streams" : request.Stream;
}
