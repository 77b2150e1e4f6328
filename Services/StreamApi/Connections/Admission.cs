using System.Net;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.ServiceDefaults.Health;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>The one place that decides whether a client may connect, whatever its transport.</summary>
internal sealed class Admission(
    ConnectionRegistry registry,
    AddressLimiter addresses,
    MemoryGuard memory,
    DrainState drain,
    StreamApiMetrics metrics,
    IOptions<AdmissionOptions> options,
    TimeProvider time,
    ILogger<Admission> logger)
{
    /// <summary>Refusals are counted one by one and logged now and then: who is refused may come back at once.</summary>
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);

    private readonly AdmissionOptions _options = options.Value;
    private long _loggedAt;

    /// <summary>Admits a live connection, which counts as an attempt.</summary>
    /// <param name="context">The request, or that of the gRPC call.</param>
    /// <param name="place">To be disposed of when the connection is over.</param>
    /// <returns>Why not; null if it is admitted.</returns>
    public Refusal? TryConnect(HttpContext context, out Place? place) => TryEnter(context, countsAsAttempt: true, out place);

    /// <summary>
    /// Admits a request that waits for an event. It takes a place, as it holds a stream open, but is no attempt: who reads on this
    /// way asks as often as events come.
    /// </summary>
    /// <inheritdoc cref="TryConnect" path="/param"/>
    /// <inheritdoc cref="TryConnect" path="/returns"/>
    public Refusal? TryWait(HttpContext context, out Place? place) => TryEnter(context, countsAsAttempt: false, out place);

    private Refusal? TryEnter(HttpContext context, bool countsAsAttempt, out Place? place)
    {
        var key = addresses.KeyOf(context.Features.Get<IHttpConnectionFeature>()?.RemoteIpAddress);
        if (Judge(context, key, countsAsAttempt) is not { } refusal)
        {
            place = new Place(this, key);
            return null;
        }

        place = null;
        metrics.Refused.Add(1, new KeyValuePair<string, object?>("reason", refusal.Slug));
        var now = time.GetTimestamp();
        var logged = Volatile.Read(ref _loggedAt);
        if ((logged == 0 || time.GetElapsedTime(logged, now) >= LogInterval)
            && Interlocked.CompareExchange(ref _loggedAt, now, logged) == logged)
        {
            StreamApiLog.ConnectionRefused(logger, refusal.Slug, registry.Count);
        }

        return refusal;
    }

    private Refusal? Judge(HttpContext context, IPAddress? key, bool countsAsAttempt)
    {
        if (drain.IsDraining)
        {
            return Refusal.Draining;
        }

        if (key is not null && countsAsAttempt && !addresses.TryAttempt(key, out var retryAfter))
        {
            return Refusal.TooManyAttempts(_options.AttemptsPerSecond, retryAfter);
        }

        if (memory.IsExceeded)
        {
            return Refusal.MemoryLimit;
        }

        if (key is not null && !addresses.TryEnter(key))
        {
            return Refusal.TooManyFromAddress(_options.MaxConnectionsPerAddress);
        }

        var reserve = context.Features.Get<StreamAccess>() is { HasHighPriority: true } ? (int)Math.Ceiling(registry.Max * _options.PriorityReserve) : 0;
        if (registry.TryEnter(reserve))
        {
            return null;
        }

        if (key is not null)
        {
            addresses.Leave(key);
        }

        return Refusal.TooManyConnections(registry.Max);
    }

    private void Leave(IPAddress? key)
    {
        registry.Leave();
        if (key is not null)
        {
            addresses.Leave(key);
        }
    }

    /// <summary>A connection's place; given back when disposed of, once.</summary>
    internal sealed class Place(Admission admission, IPAddress? key) : IDisposable
    {
        private int _isLeft;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isLeft, 1) == 0)
            {
                admission.Leave(key);
            }
        }
    }
}
