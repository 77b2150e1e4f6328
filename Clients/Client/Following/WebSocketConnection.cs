using System.Net;
using System.Net.WebSockets;

namespace AspireStreaming.Client.Following;

/// <summary>
/// A session with one subscription. An event is acknowledged when the one after it is asked for: at once if that has to be waited for,
/// else a few at a time.
/// </summary>
internal sealed class WebSocketConnection(ClientWebSocket socket, FollowRequest request, TimeSpan idleTimeout, TimeProvider time)
    : IEventConnection
{
    /// <summary>Half of the smallest window that the service chooses by itself.</summary>
    private const int AcknowledgeAfter = 8;

    /// <summary>Silent intervals after which the connection counts as dead; each one is answered with a ping.</summary>
    private const int SilentIntervals = 3;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly bool _acknowledges = request.Options.Window != 0;
    private readonly int _ackEvery = request.Options.Window is { } window ? Math.Clamp(window / 2, 1, AcknowledgeAfter) : AcknowledgeAfter;
    private readonly WebSocketMessageReader _reader = new(socket, SseReader.DefaultMaxFrameBytes);
    private string? _current;
    private string? _unacknowledged;
    private int _unacknowledgedCount;
    private CursorMoved? _start;

    public string? ResumeToken { get; private set; }

    public TimeSpan? Retry => null;

    /// <summary>Subscribes and waits for the answer.</summary>
    /// <exception cref="ApiException">It is a refusal.</exception>
    public async Task SubscribeAsync(string? resumeToken, CancellationToken cancellationToken)
    {
        await SendAsync(SessionMessages.Subscribe(request, resumeToken), cancellationToken);
        while (_start is null)
        {
            if (await ReceiveAsync(cancellationToken) is not { } message)
            {
                throw new IOException($"the service closed the session: {socket.CloseStatus} {socket.CloseStatusDescription}".TrimEnd());
            }

            if (message.Kind == SessionMessageKind.Subscribed)
            {
                ResumeToken = message.Position?.ToString() ?? resumeToken;
                _start = new CursorMoved(request.Stream, message.Position) { ResumeToken = ResumeToken };
            }
            else
            {
                ThrowIfError(message);
            }
        }
    }

    public async ValueTask<StreamItem?> ReadAsync(CancellationToken cancellationToken)
    {
        if (_start is { } start)
        {
            _start = null;
            return start;
        }

        if (_current is not null)
        {
            // Whoever asks for more is done with what came before.
            (_unacknowledged, _current) = (_current, null);
            _unacknowledgedCount++;
            if (_unacknowledgedCount >= _ackEvery)
            {
                await AcknowledgeAsync(cancellationToken);
            }
        }

        while (await ReceiveAsync(cancellationToken) is { } message)
        {
            switch (message.Kind)
            {
                case SessionMessageKind.Event:
                    var received = StreamEvent.Read(message.Body.ToArray(), request.Stream);
                    ResumeToken = received.ResumeToken;
                    _current = _acknowledges ? ResumeToken : null;
                    return received;

                case SessionMessageKind.Control:
                    var notice = StreamNotice.Read(message.Name, message.Body.ToArray(), request.Stream);
                    notice.ResumeToken = ResumeToken;
                    return notice;

                default:
                    ThrowIfError(message);
                    break;
            }
        }

        return null;
    }

    public async ValueTask DisposeAsync()
    {
        if (socket.State == WebSocketState.Open)
        {
            using var limit = new CancellationTokenSource(CloseTimeout, time);
            try
            {
                if (_unacknowledgedCount > 0)
                {
                    await AcknowledgeAsync(limit.Token);
                }

                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token);
            }
            catch (Exception exception) when (exception is WebSocketException or IOException or OperationCanceledException
                or InvalidOperationException or TimeoutException)
            {
                // The connection ends in any case.
            }
        }

        socket.Dispose();
    }

    private static void ThrowIfError(in SessionMessage message)
    {
        if (message.Kind == SessionMessageKind.Error)
        {
            var problem = new ApiProblem(message.Problem, message.Title, message.Detail, null);
            TimeSpan? retryAfter = message.RetryAfter > 0 ? TimeSpan.FromSeconds(message.RetryAfter) : null;
            throw new ApiException((HttpStatusCode)message.Status, problem, retryAfter, $"session: {message.Status} {problem}");
        }
    }

    private async ValueTask<SessionMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        var receiving = _reader.ReadAsync(cancellationToken);
        if (receiving.IsCompleted)
        {
            return await receiving is { } ready ? SessionMessages.Read(ready) : null;
        }

        var task = receiving.AsTask();
        for (var silent = 0; ; silent++)
        {
            if (_unacknowledgedCount > 0)
            {
                await AcknowledgeAsync(cancellationToken);
            }

            try
            {
                return await task.WaitAsync(idleTimeout / SilentIntervals, time, cancellationToken) is { } body ? SessionMessages.Read(body) : null;
            }
            catch (TimeoutException) when (silent < SilentIntervals - 1)
            {
                await SendAsync(SessionMessages.Ping, cancellationToken);
            }
            catch (TimeoutException exception)
            {
                throw new TimeoutException($"nothing was heard for {idleTimeout.TotalSeconds:0.#} s, not even an answer to a ping", exception);
            }
        }
    }

    private Task AcknowledgeAsync(CancellationToken cancellationToken)
    {
        _unacknowledgedCount = 0;
        return SendAsync(SessionMessages.Acknowledge(_unacknowledged!), cancellationToken);
    }

    private async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(idleTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, either.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"a message could not be sent within {idleTimeout.TotalSeconds:0.#} s", exception);
        }
        catch (InvalidOperationException exception)
        {
            throw new IOException("the session is closed", exception);
        }
    }
}
