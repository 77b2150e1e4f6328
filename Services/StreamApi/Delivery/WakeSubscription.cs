using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Wire;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>
/// A stream's wake channel: over the connection that is there for wakes, or by the client library where there is none. Messages may come
/// out of order; positions put them right. One call at a time.
/// </summary>
/// <param name="stream">The stream.</param>
/// <param name="services">What all feeds share.</param>
/// <param name="onWake">Takes what a message brings, and tells whether there is something for readers.</param>
/// <param name="onDamaged">Called for what is none.</param>
/// <param name="serve">Lets readers have it; told whether in this thread.</param>
internal sealed class WakeSubscription(
    string stream, FeedServices services, Func<WakeMessage, bool> onWake, Action onDamaged, Action<bool> serve) : IWireSubscriber
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    private readonly RedisChannel _channel = new(StreamKeys.WakeChannel(stream), RedisChannel.PatternMode.Literal);
    private Action<RedisChannel, RedisValue>? _handler;
    private bool _isDirect;

    /// <summary>Subscribes, again if there is a subscription already: it may have died unnoticed.</summary>
    public async Task SubscribeAsync(CancellationToken cancellationToken)
    {
        if (await services.Direct.TrySubscribeAsync(StreamKeys.WakeChannel(stream), this, cancellationToken))
        {
            _isDirect = true;
            await UnsubscribeClientAsync();
            return;
        }

        _isDirect = false;
        var subscriber = services.Redis.GetSubscriber();
        if (_handler is null)
        {
            _handler = OnMessage;
        }
        else
        {
            // The client remembers a handler even when its command failed; it must not be added twice.
            await subscriber.UnsubscribeAsync(_channel, _handler).WaitAsync(Timeout, services.Time, cancellationToken);
        }

        await subscriber.SubscribeAsync(_channel, _handler).WaitAsync(Timeout, services.Time, cancellationToken);
    }

    /// <summary>Unsubscribes, if that is possible.</summary>
    public async Task UnsubscribeAsync()
    {
        await UnsubscribeClientAsync();
        try
        {
            await services.Direct.UnsubscribeAsync(StreamKeys.WakeChannel(stream)).WaitAsync(Timeout, services.Time, CancellationToken.None);
        }
        catch (Exception exception) when (exception is RedisLostException or RedisErrorException or TimeoutException)
        {
            // The connection is gone, and the subscription with it.
        }
    }

    /// <summary>A wake was lost: whether it was because the connection leads nowhere is looked at, too.</summary>
    public Task RenewAsync(CancellationToken cancellationToken)
    {
        if (_isDirect)
        {
            services.Direct.Doubt();
        }

        return SubscribeAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public bool OnMessage(ReadOnlyMemory<byte> message)
    {
        try
        {
            services.Metrics.Woken();
            services.Gate.Succeeded();
            return onWake(WakeMessage.Parse(message));
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException)
        {
            StreamApiLog.DamagedWake(services.Logger, stream, exception);
            onDamaged();
            return false;
        }
    }

    /// <inheritdoc/>
    public void OnReceived(bool inline) => serve(inline);

    private async Task UnsubscribeClientAsync()
    {
        if (_handler is null)
        {
            return;
        }

        try
        {
            await services.Redis.GetSubscriber().UnsubscribeAsync(_channel, _handler).WaitAsync(Timeout, services.Time, CancellationToken.None);
            _handler = null;
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // The connection is gone, and the subscription with it.
        }
    }

    private void OnMessage(RedisChannel channel, RedisValue message)
    {
        if (OnMessage((byte[])message!))
        {
            serve(true);
        }
    }
}
