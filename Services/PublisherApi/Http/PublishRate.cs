using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>A token bucket of events for each caller. Bounded; thread-safe; does nothing when no rate is configured.</summary>
internal sealed class PublishRate(IOptions<PublishRateOptions> options, TimeProvider time)
{
    private const int NetworkBytes = 8;

    private readonly PublishRateOptions _options = options.Value;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Bucket> _buckets = new(StringComparer.Ordinal);

    /// <summary>Whether there is a limit.</summary>
    public bool IsOn => _options.EventsPerSecond > 0;

    /// <summary>Whom a request counts for; empty when there is no limit.</summary>
    public string CallerOf(HttpContext context)
    {
        if (!IsOn)
        {
            return "";
        }

        return context.GetStreamAccess().Subject ?? NetworkOf(context.Connection.RemoteIpAddress);
    }

    /// <summary>How long until the caller's next request is let in; zero if it is now.</summary>
    public TimeSpan WaitOf(string caller) => Take(caller, 0);

    /// <summary>Counts events as published.</summary>
    /// <returns>How long to the caller's next, as <see cref="WaitOf"/>.</returns>
    public TimeSpan Take(string caller, int events)
    {
        if (!IsOn)
        {
            return TimeSpan.Zero;
        }

        lock (_lock)
        {
            var bucket = BucketLocked(caller);
            var now = time.GetTimestamp();
            bucket.Tokens = Math.Min(
                _options.Burst, bucket.Tokens + (time.GetElapsedTime(bucket.RefilledAt, now).TotalSeconds * _options.EventsPerSecond));
            bucket.RefilledAt = now;
            bucket.Tokens -= events;
            return bucket.Tokens >= 1 ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Max(0.001, (1 - bucket.Tokens) / _options.EventsPerSecond));
        }
    }

    /// <summary>An IPv6 network of 64 bits counts as one: who has one address of it has all.</summary>
    private static string NetworkOf(IPAddress? address)
    {
        if (address is null || address.IsIPv4MappedToIPv6 || address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return (address?.IsIPv4MappedToIPv6 == true ? address.MapToIPv4() : address)?.ToString() ?? "unknown";
        }

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[NetworkBytes..].Clear();
        return new IPAddress(bytes).ToString();
    }

    private Bucket BucketLocked(string caller)
    {
        if (_buckets.TryGetValue(caller, out var bucket))
        {
            return bucket;
        }

        if (_buckets.Count >= _options.MaxCallers)
        {
            // Half at once, so that the sorting is paid for by many callers.
            foreach (var (name, _) in _buckets.OrderBy(pair => pair.Value.RefilledAt).Take((_options.MaxCallers / 2) + 1).ToArray())
            {
                _buckets.Remove(name);
            }
        }

        bucket = new Bucket { Tokens = _options.Burst, RefilledAt = time.GetTimestamp() };
        _buckets.Add(caller, bucket);
        return bucket;
    }

    private sealed class Bucket
    {
        public double Tokens { get; set; }

        public long RefilledAt { get; set; }
    }
}
