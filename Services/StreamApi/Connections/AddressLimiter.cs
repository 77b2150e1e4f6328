using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>Counts connections of client addresses, and their attempts by a token bucket each. Bounded; thread-safe.</summary>
internal sealed class AddressLimiter(IOptions<AdmissionOptions> options, TimeProvider time)
{
    private const int NetworkBytes = 8;

    private readonly AdmissionOptions _options = options.Value;
    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, Entry> _entries = [];

    /// <summary>Number of addresses remembered.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Whom a connection counts for; null for nobody.</summary>
    public IPAddress? KeyOf(IPAddress? remote)
    {
        if (remote is null || (IPAddress.IsLoopback(remote) && !_options.LimitLoopback))
        {
            return null;
        }

        if (remote.IsIPv4MappedToIPv6)
        {
            return remote.MapToIPv4();
        }

        if (remote.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return remote;
        }

        // Whoever has one address of such a network has all of them.
        Span<byte> bytes = stackalloc byte[16];
        remote.TryWriteBytes(bytes, out _);
        bytes[NetworkBytes..].Clear();
        return new IPAddress(bytes);
    }

    /// <summary>Counts an attempt.</summary>
    /// <param name="key">From <see cref="KeyOf"/>.</param>
    /// <param name="retryAfter">When it is one too many: how long until the next may be made.</param>
    public bool TryAttempt(IPAddress key, out TimeSpan retryAfter)
    {
        lock (_lock)
        {
            var entry = EntryLocked(key);
            var now = time.GetTimestamp();
            var refill = time.GetElapsedTime(entry.RefilledAt, now).TotalSeconds * _options.AttemptsPerSecond;
            entry.Tokens = Math.Min(_options.AttemptBurst, entry.Tokens + refill);
            entry.RefilledAt = now;
            if (entry.Tokens < 1)
            {
                retryAfter = TimeSpan.FromSeconds((1 - entry.Tokens) / _options.AttemptsPerSecond);
                return false;
            }

            entry.Tokens--;
            retryAfter = TimeSpan.Zero;
            return true;
        }
    }

    /// <summary>Takes one of an address's places, which <see cref="Leave"/> gives back.</summary>
    public bool TryEnter(IPAddress key)
    {
        lock (_lock)
        {
            var entry = EntryLocked(key);
            if (entry.Connections >= _options.MaxConnectionsPerAddress)
            {
                return false;
            }

            entry.Connections++;
            return true;
        }
    }

    /// <summary>Gives a place back.</summary>
    public void Leave(IPAddress key)
    {
        lock (_lock)
        {
            // Who has connections is not forgotten.
            _entries[key].Connections--;
        }
    }

    private Entry EntryLocked(IPAddress key)
    {
        if (_entries.TryGetValue(key, out var entry))
        {
            return entry;
        }

        if (_entries.Count >= _options.MaxAddresses)
        {
            ForgetLocked();
        }

        entry = new Entry { Tokens = _options.AttemptBurst, RefilledAt = time.GetTimestamp() };
        _entries.Add(key, entry);
        return entry;
    }

    /// <summary>
    /// Forgets addresses whose buckets are full again. If that frees less than half, all without connections: refusing addresses that
    /// are not known would let whoever has many of them lock everybody else out.
    /// </summary>
    private void ForgetLocked()
    {
        var refill = TimeSpan.FromSeconds(_options.AttemptBurst / _options.AttemptsPerSecond);
        foreach (var (key, entry) in _entries)
        {
            if (entry.Connections == 0 && time.GetElapsedTime(entry.RefilledAt) >= refill)
            {
                _entries.Remove(key);
            }
        }

        if (_entries.Count <= _options.MaxAddresses / 2)
        {
            return;
        }

        foreach (var (key, entry) in _entries)
        {
            if (entry.Connections == 0)
            {
                _entries.Remove(key);
            }
        }
    }

    private sealed class Entry
    {
        public double Tokens { get; set; }

        public long RefilledAt { get; set; }

        public int Connections { get; set; }
    }
}
