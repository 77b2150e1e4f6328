using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Wire;

/// <summary>
/// Subscriptions over a connection of their own beside the client library's. It is opened with the first subscription, and when it is lost
/// it is opened again and all channels are subscribed anew. Where that does not succeed at once, their owners are told to go to the client,
/// and to come back later. Thread-safe.
/// </summary>
public sealed class DirectSubscriptions : DirectLink
{
    private const string Purpose = "wakes";

    private readonly bool _isOn;
    private readonly ConcurrentDictionary<string, IWireSubscriber> _subscribers = new(StringComparer.Ordinal);
    private TaskCompletionSource<SubscriberConnection?> _ready = NewReady();
    private SubscriberConnection? _current;

    /// <summary>Creates it; nothing is connected yet.</summary>
    /// <param name="redis">The client library's connections.</param>
    /// <param name="configuration">How those are made.</param>
    /// <param name="options">Times, and whether this is wanted.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    /// <param name="gate">Tells that the client's connections were lost and are back; null where nobody knows.</param>
    public DirectSubscriptions(
        IConnectionMultiplexer redis,
        ConfigurationOptions configuration,
        IOptions<HotLogOptions> options,
        TimeProvider time,
        ILogger<DirectSubscriptions> logger,
        RedisGate? gate = null)
        : base(redis, configuration, options.Value, time, logger, gate) =>
        _isOn = options.Value.DirectConnection;

    /// <summary>Raised when the subscriptions are there again after the connection was lost: what was told meanwhile was missed.</summary>
    public event Action? Restored;

    /// <summary>Raised when all owners have to subscribe anew: there is no connection any more, or there is one again.</summary>
    public event Action? Moved;

    /// <summary>Subscribes to a channel, again if it is subscribed already.</summary>
    /// <returns>False where there is no connection: then the client has to do it.</returns>
    /// <exception cref="Exception">Redis refuses, does not answer, or is away.</exception>
    public async Task<bool> TrySubscribeAsync(string channel, IWireSubscriber subscriber, CancellationToken cancellationToken)
    {
        if (!_isOn)
        {
            return false;
        }

        Start();
        if (await Volatile.Read(ref _ready).Task.WaitAsync(Timeout, Time, cancellationToken).ConfigureAwait(false) is not { } connection)
        {
            return false;
        }

        _subscribers[channel] = subscriber;
        await connection.SubscribeAsync([channel]).WaitAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Unsubscribes, if it is subscribed here.</summary>
    /// <exception cref="Exception">Redis does not answer, or is away.</exception>
    public async Task UnsubscribeAsync(string channel)
    {
        if (_subscribers.TryRemove(channel, out _) && Volatile.Read(ref _current) is { } connection)
        {
            await connection.UnsubscribeAsync(channel).ConfigureAwait(false);
        }
    }

    /// <summary>A message was lost, or the client's connections were: whether this one leads to the same Redis is looked at.</summary>
    public void Doubt() => OnChanged();

    private static TaskCompletionSource<SubscriberConnection?> NewReady() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private protected override async Task RunAsync(CancellationToken stop)
    {
        var backoff = new Backoff();
        var isFirst = true;
        while (!stop.IsCancellationRequested)
        {
            var doubted = Arm();
            try
            {
                if (await OpenAsync(stop).ConfigureAwait(false) is { } connection)
                {
                    var start = Time.GetTimestamp();
                    await UseAsync(connection, isFirst, stop).ConfigureAwait(false);
                    isFirst = false;
                    if (Time.GetElapsedTime(start) > ShortLife)
                    {
                        backoff.Reset();
                        continue;
                    }
                }
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                DirectConnectionLog.NotOpened(Logger, exception);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            isFirst = false;
            Leave();
            await Task.WhenAny(doubted, Task.Delay(backoff.Next(), Time, stop)).ConfigureAwait(false);
        }

        Volatile.Read(ref _ready).TrySetResult(null);
    }

    /// <summary>There is no connection for a while: the owners go to the client.</summary>
    private void Leave()
    {
        if (!Volatile.Read(ref _ready).TrySetResult(null))
        {
            return;
        }

        if (!_subscribers.IsEmpty)
        {
            _subscribers.Clear();
            Moved?.Invoke();
        }
    }

    /// <summary>Opens a connection to whatever the client is connected to (messages go to every process of a cluster), and subscribes.</summary>
    private async Task<SubscriberConnection?> OpenAsync(CancellationToken cancellationToken)
    {
        var server = SoleMaster.Find(Redis)
            ?? Redis.GetEndPoints().Select(endPoint => Redis.GetServer(endPoint)).FirstOrDefault(server =>
                server is { IsConnected: true, ServerType: ServerType.Standalone or ServerType.Cluster });
        if (server is null || SettingsFor(server, Purpose) is not { } settings)
        {
            return null;
        }

        var connection = new SubscriberConnection(settings, _subscribers, Timeout, Time);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            await connection.SubscribeAsync(_subscribers.Keys).WaitAsync(cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private async Task UseAsync(SubscriberConnection connection, bool isFirst, CancellationToken cancellationToken)
    {
        var start = Time.GetTimestamp();
        Volatile.Write(ref _current, connection);
        var wasLeft = !Volatile.Read(ref _ready).TrySetResult(connection);
        if (wasLeft)
        {
            var ready = NewReady();
            ready.SetResult(connection);
            Volatile.Write(ref _ready, ready);
        }

        DirectConnectionLog.Opened(Logger);
        using var stopped = cancellationToken.UnsafeRegister(static state => ((SubscriberConnection)state!).Dispose(), connection);
        if (wasLeft)
        {
            Moved?.Invoke();
        }
        else if (!isFirst)
        {
            Restored?.Invoke();
        }

        for (var doubted = Arm(); !connection.Closed.IsCompleted; doubted = Arm())
        {
            if (await Task.WhenAny(connection.Closed, doubted).ConfigureAwait(false) == doubted
                && !await IsRightAsync(connection, start, cancellationToken).ConfigureAwait(false))
            {
                break;
            }
        }

        if (!cancellationToken.IsCancellationRequested)
        {
            Volatile.Write(ref _ready, NewReady());
        }

        Volatile.Write(ref _current, null);
        connection.Dispose();
        DirectConnectionLog.Lost(Logger, await connection.Closed.ConfigureAwait(false));
    }

    /// <summary>Whether it leads to where the client's connections do.</summary>
    private async Task<bool> IsRightAsync(SubscriberConnection connection, long start, CancellationToken cancellationToken)
    {
        try
        {
            if (SoleMaster.Find(Redis) is null)
            {
                return Time.GetElapsedTime(start) < ShortLife;
            }

            return connection.RunId == await ReadClientRunIdAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Not to be told now; this connection has its own checks, and the next that is restored asks again.
            return true;
        }
    }
}
