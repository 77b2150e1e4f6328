using System.Net;
using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>A client's connection, as the registry, the ticker and the listings see it.</summary>
internal abstract class LiveConnection(string transport, string stream, IPAddress? remote, string? userAgent, DateTimeOffset since)
{
    private string? _drainReason;
    private long _lastWrite;
    private long _writingSince;
    private long _progressAt;
    private long _acknowledged;
    private long _drainingSince;
    private bool _due;

    /// <summary>Its id on this replica.</summary>
    public Guid Key { get; } = Guid.CreateVersion7();

    /// <summary>The id as clients see it; made when somebody asks.</summary>
    public string Id => Key.ToString("N");

    /// <summary><c>sse</c> or <c>grpc</c>.</summary>
    public string Transport => transport;

    /// <summary>The stream; several are separated by commas.</summary>
    public string Stream => stream;

    /// <summary>The client's address.</summary>
    public string? Remote => remote?.ToString();

    /// <summary>The client's name for itself.</summary>
    public string? UserAgent => userAgent;

    /// <summary>When it was opened.</summary>
    public DateTimeOffset Since => since;

    /// <summary>What it follows; the first stands for it where there is room for one only.</summary>
    public abstract IReadOnlyList<StreamFollower> Followers { get; }

    /// <summary>Bytes written.</summary>
    public long Bytes { get; protected set; }

    /// <summary>Since when a write waits for the client, by the registry's clock; 0 when none does.</summary>
    public long WritingSince => Volatile.Read(ref _writingSince);

    /// <summary>Wakes its loop.</summary>
    public DeliverySignal Signal { get; } = new();

    /// <summary>When the client's token expires, by the registry's clock.</summary>
    public virtual long ExpiresAt => long.MaxValue;

    /// <summary>When it has lived as long as it may, by the registry's clock.</summary>
    public long EndsAt { get; set; } = long.MaxValue;

    /// <summary>Whether a write that waits for the client too long ends the connection.</summary>
    protected virtual bool WritesTimeOut => true;

    /// <summary>Why it must end; null while it may go on.</summary>
    protected string? DrainReason => Volatile.Read(ref _drainReason);

    /// <summary>Lets the client know that it should reconnect, and ends.</summary>
    /// <param name="reason">The <c>reason</c> of <c>stream.drain</c>.</param>
    public void Drain(string reason)
    {
        if (Interlocked.CompareExchange(ref _drainReason, reason, null) is null)
        {
            Signal.Set();
        }
    }

    /// <summary>Cuts the connection.</summary>
    public abstract void Abort();

    /// <summary>Called a few times a heartbeat.</summary>
    /// <param name="now">The registry's clock, milliseconds.</param>
    /// <param name="heartbeat">Longest silence.</param>
    /// <param name="positionInterval">Longest time that a moved position may stay untold.</param>
    /// <param name="writeTimeout">Longest time that a write may make no progress.</param>
    /// <returns>False when the connection must be cut.</returns>
    public bool OnTick(long now, long heartbeat, long positionInterval, long writeTimeout)
    {
        if (now >= EndsAt)
        {
            Drain(DrainReasons.Lifetime);
        }

        if (DrainReason is not null)
        {
            _drainingSince = _drainingSince == 0 ? now : _drainingSince;
            if (now - _drainingSince >= writeTimeout)
            {
                return false;
            }
        }

        var writing = Volatile.Read(ref _writingSince);
        if (writing != 0)
        {
            return !WritesTimeOut || !IsStuck(writing, now, writeTimeout);
        }

        var owed = PositionOwedSince();
        if (now - Volatile.Read(ref _lastWrite) >= heartbeat || (owed != 0 && now - owed >= positionInterval))
        {
            Volatile.Write(ref _due, true);
            Signal.Set();
        }

        return true;
    }

    /// <summary>Whether a sign of life is due; asking takes it.</summary>
    protected bool TakeDue()
    {
        if (!Volatile.Read(ref _due))
        {
            return false;
        }

        Volatile.Write(ref _due, false);
        return true;
    }

    /// <summary>Bytes that the client's end has acknowledged so far; constant when that cannot be told.</summary>
    protected virtual long AcknowledgedBytes() => 0;

    /// <summary>Whether a write has made no progress for too long: a slow client may take long for what it is sent, as long as it takes it.</summary>
    private bool IsStuck(long writing, long now, long timeout)
    {
        var acknowledged = AcknowledgedBytes();
        if (_progressAt < writing)
        {
            _progressAt = writing;
        }
        else if (acknowledged != _acknowledged)
        {
            _progressAt = now;
        }

        _acknowledged = acknowledged;
        return now - _progressAt >= timeout;
    }

    /// <summary>Since when a cursor is beyond what the client knows; 0 when none is.</summary>
    private long PositionOwedSince()
    {
        var oldest = 0L;
        var followers = Followers;
        for (var index = 0; index < followers.Count; index++)
        {
            var owed = followers[index].PositionOwedSince;
            oldest = oldest == 0 || (owed != 0 && owed < oldest) ? owed : oldest;
        }

        return oldest;
    }

    /// <summary>A write begins.</summary>
    protected void BeginWrite(long now) => Volatile.Write(ref _writingSince, Math.Max(now, 1));

    /// <summary>A write is over.</summary>
    protected void EndWrite(long now)
    {
        Volatile.Write(ref _writingSince, 0);
        Volatile.Write(ref _lastWrite, now);
    }
}
