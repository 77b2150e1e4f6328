using System.Net.Sockets;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.StreamApi.Delivery;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>
/// A connection that delivers: a loop that lets its followers write everything they can have, and flushes once. Whatever happens to
/// it (events, the end of a slow read, the heartbeat, a drain, the client's leaving) comes as its signal. A transport gives it the
/// form in which things are written.
/// </summary>
internal abstract class DeliveryConnection(string transport, string stream, HttpContext context, SubscriptionServices services)
    : LiveConnection(
        transport,
        stream,
        context.Features.Get<IHttpConnectionFeature>()?.RemoteIpAddress,
        context.Request.Headers.UserAgent,
        services.Time.GetUtcNow())
{
    private const int MinRetryMilliseconds = 1_000;
    private const int MaxRetryMilliseconds = 5_000;

    private readonly CancellationToken _aborted = context.RequestAborted;
    private readonly Socket? _socket = context.Features.Get<IConnectionSocketFeature>()?.Socket;
    private readonly long _expiresAt = services.Registry.ToClock(context.Features.Get<StreamAccess>()?.ExpiresAt);

    public override long ExpiresAt => _expiresAt;

    /// <summary>What all connections share.</summary>
    protected SubscriptionServices Services => services;

    /// <summary>Bytes written since the last flush.</summary>
    protected abstract long Pending { get; }

    /// <summary>A loop that has more to write does so until there are this many bytes, and flushes then.</summary>
    protected virtual long FlushBytes => 1;

    /// <summary>A moment at which a client should come back; everybody gets one of its own.</summary>
    protected static int NextRetryMilliseconds() => Random.Shared.Next(MinRetryMilliseconds, MaxRetryMilliseconds + 1);

    /// <summary>Serves the client until it leaves, its streams end or the service drains.</summary>
    /// <returns>Why it ended.</returns>
    public async Task<string> RunAsync()
    {
        await using var abort = _aborted.UnsafeRegister(static state => ((DeliverySignal)state!).Set(), Signal);
        Open();
        var state = FollowerState.Idle;
        while (true)
        {
            if (Pending > 0 && (state != FollowerState.Busy || Pending >= FlushBytes) && !await FlushAsync())
            {
                return "client left";
            }

            if (_aborted.IsCancellationRequested)
            {
                return "client left";
            }

            if (DrainReason is { } reason)
            {
                TellPositions();
                WriteDrain(NextRetryMilliseconds(), reason);
                await FlushAsync();
                return reason;
            }

            state = Step();
            if (state == FollowerState.Ended)
            {
                await FlushAsync();
                return "stream ended";
            }

            if (state == FollowerState.Lagging)
            {
                Drain(DrainReasons.Lag);
            }
            else if (state == FollowerState.Idle)
            {
                if (Pending > 0 && !await FlushAsync())
                {
                    return "client left";
                }

                await Signal.WaitAsync();
            }
        }
    }

    /// <summary>Opens the followers and writes what comes first.</summary>
    protected abstract void Open();

    /// <summary>Lets followers do what they can do now without waiting, and writes a sign of life if one is due.</summary>
    protected abstract FollowerState Step();

    /// <summary>Tells the client what it does not know of the followers' positions.</summary>
    protected abstract void TellPositions();

    /// <summary>Writes that the client should come back later.</summary>
    protected abstract void WriteDrain(int retryMilliseconds, string reason);

    /// <summary>Sends what was written.</summary>
    /// <returns>False when the client is gone.</returns>
    protected abstract ValueTask<bool> FlushPendingAsync();

    protected sealed override long AcknowledgedBytes() => TcpPeers.AcknowledgedBytes(_socket);

    /// <summary>Counts what a follower's step wrote.</summary>
    protected void Count(FollowerStep step, bool isCaughtUp, long bytes)
    {
        services.Metrics.Flushed(step.Events, bytes);
        if (step.NewestRecordedAt != 0 && isCaughtUp && services.Metrics.DeliveryLag.Enabled)
        {
            var now = services.Time.GetUtcNow().ToUnixTimeMilliseconds();
            services.Metrics.DeliveryLag.Record(Math.Max(0, (now - step.NewestRecordedAt) / 1000d));
        }
    }

    private async ValueTask<bool> FlushAsync()
    {
        BeginWrite(services.Registry.Now);
        Bytes += Pending;
        var open = await FlushPendingAsync();
        EndWrite(services.Registry.Now);
        return open;
    }
}
