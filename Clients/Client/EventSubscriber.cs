using System.Runtime.CompilerServices;
using AspireStreaming.Client.Following;
using AspireStreaming.Client.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireStreaming.Client;

/// <summary>
/// Follows and reads streams. A subscription survives every break of its connection and goes on exactly where it was; what cannot be
/// delivered is announced, never left out in silence. Thread-safe; each enumeration is a connection of its own.
/// </summary>
public sealed class EventSubscriber : IDisposable
{
    private readonly StreamingClientOptions _options;
    private readonly StreamApiClient _client;
    private readonly SseTransport _sse;
    private readonly GrpcTransport _grpc;
    private readonly WebSocketTransport _webSocket;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>A subscriber on a connection that stays the caller's.</summary>
    /// <param name="http">
    /// Its base address, if it has one, is the Stream API's; else <see cref="StreamingClientOptions.StreamApiUrl"/>. Its timeout limits
    /// how long the service may take to begin an answer.
    /// </param>
    /// <param name="options">Addresses, credentials and limits; null = the defaults.</param>
    /// <param name="handler">Connections for gRPC and WebSocket, which stay the caller's; null = ones of its own.</param>
    /// <param name="time">The clock; null = the system's.</param>
    /// <param name="logger">Told of breaks and of missing events.</param>
    public EventSubscriber(
        HttpClient http,
        StreamingClientOptions? options = null,
        HttpMessageHandler? handler = null,
        TimeProvider? time = null,
        ILogger<EventSubscriber>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(http);
        _options = options ?? new StreamingClientOptions();
        _options.Validate();
        _time = time ?? TimeProvider.System;
        _logger = logger ?? NullLogger<EventSubscriber>.Instance;
        var service = new ServiceConnection(http, _options.StreamApiUrl, _options, _time);
        _client = new StreamApiClient(service);
        _sse = new SseTransport(_client);
        _grpc = new GrpcTransport(service, handler);
        _webSocket = new WebSocketTransport(service, handler);
    }

    /// <summary>
    /// The events of a stream: first what is there, then live, until the stream ends. Everything else goes to
    /// <see cref="SubscribeOptions.OnNotice"/>.
    /// </summary>
    /// <exception cref="EventsMissingException">Events are missing, and there is no <see cref="SubscribeOptions.OnNotice"/>.</exception>
    /// <exception cref="ContinuityException">Positions prove that events are missing unannounced, or came twice.</exception>
    /// <exception cref="ServiceUnreachableException">No first connection in time.</exception>
    /// <exception cref="ApiException">The service refuses.</exception>
    public IAsyncEnumerable<StreamEvent> SubscribeAsync(
        string stream, SubscribeOptions? options = null, CancellationToken cancellationToken = default) =>
        EventsOf(FollowRequest.Of(stream, options), cancellationToken);

    /// <summary>The events of up to 50 streams on one connection, each stream in its order, until all have ended.</summary>
    /// <inheritdoc cref="SubscribeAsync(string, SubscribeOptions?, CancellationToken)"/>
    public IAsyncEnumerable<StreamEvent> SubscribeAsync(
        IReadOnlyList<StreamStart> streams, SubscribeOptions? options = null, CancellationToken cancellationToken = default) =>
        EventsOf(FollowRequest.Of(streams, options), cancellationToken);

    /// <summary>
    /// Everything of a stream in its place: events, announcements, moves of the cursor and breaks of the connection. Whoever reads this
    /// has been told of missing events, so they don't end it.
    /// </summary>
    /// <exception cref="ContinuityException">Positions prove that events are missing unannounced, or came twice.</exception>
    /// <exception cref="ServiceUnreachableException">No first connection in time.</exception>
    /// <exception cref="ApiException">The service refuses.</exception>
    public IAsyncEnumerable<StreamItem> FollowAsync(
        string stream, SubscribeOptions? options = null, CancellationToken cancellationToken = default) =>
        ItemsOf(FollowRequest.Of(stream, options), cancellationToken);

    /// <summary>Everything of up to 50 streams on one connection.</summary>
    /// <inheritdoc cref="FollowAsync(string, SubscribeOptions?, CancellationToken)"/>
    public IAsyncEnumerable<StreamItem> FollowAsync(
        IReadOnlyList<StreamStart> streams, SubscribeOptions? options = null, CancellationToken cancellationToken = default) =>
        ItemsOf(FollowRequest.Of(streams, options), cancellationToken);

    /// <summary>One page of a stream; an unknown stream is an empty one.</summary>
    /// <exception cref="ServiceUnreachableException">The service stayed away.</exception>
    /// <exception cref="ApiException">The service refuses.</exception>
    public async Task<EventPage> ReadPageAsync(string stream, PageOptions? options = null, CancellationToken cancellationToken = default)
    {
        StreamName.ThrowIfInvalid(stream);
        var page = options ?? new PageOptions();
        while (true)
        {
            if (await CreateRetry().RunAsync(token => _client.ReadPageAsync(stream, page, token), cancellationToken) is { } read)
            {
                return read;
            }

            page = page.Limit > 1
                ? page with { Limit = Math.Max(page.Limit / 10, 1) }
                : throw new InvalidDataException($"A page of one event is larger than {StreamApiClient.MaxPageBytes:N0} bytes.");
        }
    }

    /// <summary>The events that a stream has now, page by page, and no further.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="options">Where to start and which types; its limit is the size of a page.</param>
    /// <param name="onGap">Told of holes; without it a hole ends the enumeration with an <see cref="EventsMissingException"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="EventsMissingException">Events are missing, and nobody is to be told.</exception>
    /// <exception cref="ServiceUnreachableException">The service stayed away.</exception>
    /// <exception cref="ApiException">The service refuses.</exception>
    public async IAsyncEnumerable<StreamEvent> ReadAsync(
        string stream,
        PageOptions? options = null,
        Action<StreamGap>? onGap = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var next = options ?? new PageOptions { Limit = 1000 };
        if (next.Descending)
        {
            throw new ArgumentException("Reading on goes up; pages go down.", nameof(options));
        }

        while (true)
        {
            var page = await ReadPageAsync(stream, next, cancellationToken);
            if (page.Gap is { } gap)
            {
                if (onGap is null)
                {
                    throw new EventsMissingException(
                        new GapNotice(stream, $$"""{"from":"{{gap.From}}","to":"{{gap.To}}","reason":"{{gap.Reason}}"}""", gap), gap.To);
                }

                onGap(gap);
            }

            foreach (var item in page.Events)
            {
                yield return item;
            }

            if (page.CaughtUp)
            {
                yield break;
            }

            // Nothing and not caught up: the service works on it, for instance at the border of an epoch.
            if (page.Events.Count == 0 && next.From is { } from && from.ToString() == page.Next.ToString())
            {
                await Task.Delay(TimeSpan.FromMilliseconds(500), _time, cancellationToken);
            }

            next = next with { From = page.Next };
        }
    }

    /// <summary>What the service knows about a stream; null when it is unknown.</summary>
    /// <exception cref="ServiceUnreachableException">The service stayed away.</exception>
    /// <exception cref="ApiException">The service refuses.</exception>
    public Task<StreamInfo?> ReadStreamAsync(string stream, CancellationToken cancellationToken = default)
    {
        StreamName.ThrowIfInvalid(stream);
        return CreateRetry().RunAsync(token => _client.ReadStreamAsync(stream, token), cancellationToken);
    }

    /// <summary>The streams, newest activity first. A stream that gets an event meanwhile moves up and may be missed or come twice.</summary>
    /// <exception cref="ServiceUnreachableException">The service stayed away.</exception>
    /// <exception cref="ApiException">The service refuses.</exception>
    public async IAsyncEnumerable<StreamInfo> ListStreamsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        const int PageSize = 200;
        string? cursor = null;
        do
        {
            var (streams, next) = await CreateRetry().RunAsync(token => _client.ListAsync(cursor, PageSize, token), cancellationToken);
            foreach (var stream in streams)
            {
                yield return stream;
            }

            cursor = next;
        }
        while (cursor is not null);
    }

    /// <summary>Closes connections of its own; what the caller gave stays.</summary>
    public void Dispose()
    {
        _grpc.Dispose();
        _webSocket.Dispose();
    }

    private IAsyncEnumerable<StreamItem> ItemsOf(FollowRequest request, CancellationToken cancellationToken)
    {
        IEventTransport transport = request.Options.Transport switch
        {
            StreamTransport.Grpc => _grpc,
            StreamTransport.WebSocket => _webSocket,
            _ => _sse,
        };
        var connectWithin = request.Options.ConnectWithin ?? _options.ConnectWithin;
        return new EventFollower(transport, request, connectWithin, _time, _logger).ReadAsync(cancellationToken);
    }

    private async IAsyncEnumerable<StreamEvent> EventsOf(FollowRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in ItemsOf(request, cancellationToken))
        {
            if (item is StreamEvent received)
            {
                yield return received;
            }
            else if (request.Options.OnNotice is { } notice)
            {
                notice(item);
            }
            else if (item is StreamNotice { IsLoss: true } loss and not DroppedNotice)
            {
                // Whoever chose to skip events when it is slow knows that it may; this it could not know.
                throw new EventsMissingException(loss, Behind(loss));
            }
        }
    }

    private static StreamPosition? Behind(StreamNotice loss) => loss switch
    {
        // Of a position beyond the end the gap tells the end, which is behind it.
        GapNotice gap => gap.Gap.To > gap.Gap.From ? gap.Gap.To : gap.Gap.From,
        EpochNotice { Current: { } first } => first with { Sequence = first.Sequence - 1 },
        _ => null,
    };

    private Retry CreateRetry() => new(_options.RetryFor, _time, (fault, delay) => _options.ReportRetry(_logger, fault, delay));
}
