using System.Net.Sockets;
using System.Runtime.CompilerServices;
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

    private readonly CancellationToken _aborted = ClientLeaving.Of(context);
    private readonly Socket? _socket = context.Features.Get<IConnectionSocketFeature>()?.Socket;
    private readonly long _expiresAt = services.Registry.ToClock(context.Features.Get<StreamAccess>()?.ExpiresAt);

    public override long ExpiresAt => _expiresAt;

    /// <summary>What all connections share.</summary>
    protected SubscriptionServices Services => services;

    /// <summary>Bytes written since the last flush.</summary>
    protected abstract long Pending { get; }

    /// <summary>A loop that has more to write does so until there are this many bytes, and flushes then.</summary>
    protected virtual long FlushBytes => 1;

    /// <summary>What the log calls it by, beside its id.</summary>
    private string Subject => Stream.Length > 0 ? Stream : Transport;

    /// <summary>A moment at which a client should come back; everybody gets one of its own.</summary>
    protected static int NextRetryMilliseconds() => Random.Shared.Next(MinRetryMilliseconds, MaxRetryMilliseconds + 1);

    /// <summary>
    /// Serves the client until it leaves, its streams end or the service drains. This one method is all that waits as long as the
    /// connection lives: each more that waits for it is kept ten thousand times.
    /// </summary>
    public async Task RunAsync()
    {
        string? outcome = null;
        var abort = default(CancellationTokenRegistration);
        try
        {
            if (!await PrepareAsync())
            {
                return;
            }

            outcome = "aborted";
            services.Registry.Add(this);
            StreamApiLog.ConnectionOpened(services.Logger, Id, Subject, Followers is [var first, ..] ? first.Request.From.Position : default);
            abort = _aborted.UnsafeRegister(static state => ((DeliverySignal)state!).Set(), Signal);
            Open();
            var state = FollowerState.Idle;
            while (true)
            {
                if (Pending > 0 && (state != FollowerState.Busy || Pending >= FlushBytes) && !await FlushAsync())
                {
                    outcome = "client left";
                    break;
                }

                if (_aborted.IsCancellationRequested)
                {
                    outcome = "client left";
                    break;
                }

                if (DrainReason is { } reason)
                {
                    outcome = reason;
                    TellPositions();
                    WriteDrain(NextRetryMilliseconds(), reason);
                    await FlushAsync();
                    break;
                }

                state = Step();
                if (state == FollowerState.Ended)
                {
                    outcome = "stream ended";
                    await FlushAsync();
                    break;
                }

                if (state == FollowerState.Lagging)
                {
                    Drain(DrainReasons.Lag);
                }
                else if (state == FollowerState.Idle)
                {
                    if (Pending > 0 && !await FlushAsync())
                    {
                        outcome = "client left";
                        break;
                    }

                    await Signal.WaitAsync();
                }
            }

            await FinishAsync(outcome);
        }
        catch (OperationCanceledException) when (outcome is not null)
        {
            // The client left, or the service stops, in the middle of a read.
        }
        catch (Exception exception) when (outcome is not null)
        {
            // The head is sent: all that is left is not to end it as if all were well.
            StreamApiLog.ConnectionFailed(services.Logger, Id, Subject, exception);
            Abort();
        }
        finally
        {
            // A signal that comes after the end does no harm, so nothing waits for one that is under way.
            abort.Unregister();
            if (outcome is not null)
            {
                services.Registry.Remove(this);
                StreamApiLog.ConnectionClosed(services.Logger, Id, Subject, Followers is [var first, ..] ? first.Position : default, outcome);
            }

            Close();
        }
    }

    /// <summary>Ends a connection that is not served.</summary>
    public void Discard() => Close();

    /// <summary>What comes before the first word to the client.</summary>
    /// <returns>False when it has been answered already.</returns>
    protected virtual ValueTask<bool> PrepareAsync() => new(true);

    /// <summary>What comes after the last word, if delivery ended by itself.</summary>
    /// <param name="outcome">Why it ended.</param>
    protected virtual Task FinishAsync(string outcome) => Task.CompletedTask;

    /// <summary>Gives back what the connection had; called once, however it ends.</summary>
    protected virtual void Close()
    {
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

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FlushAsync()
    {
        BeginWrite(services.Registry.Now);
        Bytes += Pending;
        var open = await FlushPendingAsync();
        EndWrite(services.Registry.Now);
        return open;
    }
}
