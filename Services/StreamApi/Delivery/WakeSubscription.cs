using AspireStreaming.Streaming.Redis;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>A stream's wake channel. Messages may come out of order; positions put them right.</summary>
internal sealed class WakeSubscription(string stream, FeedServices services, Action<WakeMessage> onWake, Action onDamaged)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    private readonly RedisChannel _channel = new(StreamKeys.WakeChannel(stream), RedisChannel.PatternMode.Literal);
    private Action<RedisChannel, RedisValue>? _handler;

    /// <summary>Subscribes, again if there is a subscription already: it may have died unnoticed.</summary>
    public async Task SubscribeAsync(CancellationToken cancellationToken)
    {
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
        if (_handler is null)
        {
            return;
        }

        try
        {
            await services.Redis.GetSubscriber().UnsubscribeAsync(_channel, _handler).WaitAsync(Timeout, services.Time, CancellationToken.None);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // The connection is gone, and the subscription with it.
        }
    }

    private void OnMessage(RedisChannel channel, RedisValue message)
    {
        try
        {
            services.Metrics.Woken();
            services.Gate.Succeeded();
            onWake(WakeMessage.Parse((byte[])message!));
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException)
        {
            StreamApiLog.DamagedWake(services.Logger, stream, exception);
            onDamaged();
        }
    }
}
