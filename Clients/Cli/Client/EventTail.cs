using System.Runtime.CompilerServices;
using System.Text.Json;

namespace AspireStreaming.Cli.Client;

/// <summary>Follows one stream over server-sent events and resumes exactly where it was after any break.</summary>
/// <param name="client">The Stream API.</param>
/// <param name="stream">The stream.</param>
/// <param name="time">The clock.</param>
internal sealed class EventTail(StreamApiClient client, string stream, TimeProvider time)
{
    private const string ControlPrefix = "stream.";

    private static readonly TimeSpan ShortestDelay = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(30);

    /// <summary>Where to start, as the API takes it.</summary>
    public string From { get; init; } = "start";

    /// <summary>Types to deliver, separated by commas; null = all.</summary>
    public string? Types { get; init; }

    /// <summary>How long to try for the first connection; after it, for ever.</summary>
    public TimeSpan ConnectWithin { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Silence after which a connection counts as dead; heartbeats come every 15 s.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>Whether a connection has been made.</summary>
    public bool Connected { get; private set; }

    /// <summary>Reads until the stream ends or the caller stops.</summary>
    /// <exception cref="ServiceUnreachableException">No connection in time.</exception>
    /// <exception cref="ApiException">The service refuses.</exception>
    public async IAsyncEnumerable<TailMessage> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var failures = 0;
        var retry = TimeSpan.FromSeconds(1);
        string? lastEventId = null;
        while (true)
        {
            var (connection, fault) = await OpenAsync(lastEventId, cancellationToken);
            TimeSpan? drain = null;
            failures++;
            if (fault is null)
            {
                Connected = true;
                if (connection is null)
                {
                    yield return new TailMessage(TailMessageKind.Ended);
                    yield break;
                }

                await using (connection)
                {
                    var reader = connection.Reader;
                    while (true)
                    {
                        (var more, fault) = await ReadFrameAsync(reader, cancellationToken);
                        if (!more)
                        {
                            break;
                        }

                        failures = 0;
                        if (reader.HasId)
                        {
                            lastEventId = reader.LastEventId;
                        }

                        var message = Message(reader);
                        yield return message;
                        if (message is { Kind: TailMessageKind.Control, Name: "stream.drain" })
                        {
                            drain = DrainDelay(message.Data);
                        }
                        else if (message is { Kind: TailMessageKind.Control, Name: "stream.end" })
                        {
                            yield return new TailMessage(TailMessageKind.Ended);
                            yield break;
                        }
                    }

                    retry = reader.Retry ?? retry;
                }
            }
            else if (!Connected && time.GetElapsedTime(started) >= ConnectWithin)
            {
                throw new ServiceUnreachableException(
                    $"no connection to {client.Url} within {ConnectWithin.TotalSeconds:0.#} s: {Faults.Describe(fault)}", fault);
            }

            var delay = Delay(failures, retry, drain, fault);
            yield return new TailMessage(TailMessageKind.Interrupted, Delay: delay, Fault: fault);
            await Task.Delay(delay, time, cancellationToken);
        }
    }

    private static TimeSpan Delay(int failures, TimeSpan retry, TimeSpan? drain, Exception? fault)
    {
        // The server spreads its clients by what it asks each of them for, so that is the least; a little more spreads them further.
        var least = drain ?? retry;
        var delay = failures <= 1
            ? least * (1 + (Random.Shared.NextDouble() / 4))
            : Retry.Delay(failures, least, LongestDelay, (fault as ApiException)?.RetryAfter);
        return delay > ShortestDelay ? delay : ShortestDelay;
    }

    private static TailMessage Message(SseReader reader)
    {
        StreamPosition? position = StreamPosition.TryParse(reader.LastEventIdUtf8, out var parsed) ? parsed : null;
        if (!reader.HasData)
        {
            return new TailMessage(TailMessageKind.Cursor, Position: position);
        }

        // The prefix is reserved: no publisher can send an event of such a type.
        var kind = reader.EventType.StartsWith(ControlPrefix, StringComparison.Ordinal) ? TailMessageKind.Control : TailMessageKind.Event;
        return new TailMessage(kind, reader.EventType, reader.Data, position);
    }

    private static TimeSpan? DrainDelay(ReadOnlyMemory<byte> data)
    {
        try
        {
            using var document = JsonDocument.Parse(data);
            return document.RootElement.Number("retryMs") is >= 0 and < int.MaxValue and var milliseconds
                ? TimeSpan.FromMilliseconds(milliseconds)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static async Task<(bool More, Exception? Fault)> ReadFrameAsync(SseReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return (await reader.ReadAsync(cancellationToken), null);
        }
        catch (Exception exception) when (Faults.IsTransient(exception) && !cancellationToken.IsCancellationRequested)
        {
            return (false, exception);
        }
    }

    private async Task<(SseConnection? Connection, Exception? Fault)> OpenAsync(string? lastEventId, CancellationToken cancellationToken)
    {
        try
        {
            return (await client.OpenEventsAsync(stream, Query(lastEventId is null), lastEventId, IdleTimeout, cancellationToken), null);
        }
        catch (Exception exception) when (Faults.IsTransient(exception) && !cancellationToken.IsCancellationRequested)
        {
            return (null, exception);
        }
    }

    private string Query(bool first)
    {
        var from = first ? "?from=" + Uri.EscapeDataString(From) : "";
        return Types is null ? from : $"{from}{(first ? '&' : '?')}types={Uri.EscapeDataString(Types)}";
    }
}
