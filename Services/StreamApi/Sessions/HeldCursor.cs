using AspireStreaming.Archive.Cursors;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>A durable cursor that a subscription of this replica holds. Thread-safe.</summary>
/// <param name="claim">The claim.</param>
/// <param name="lost">Called once, when a newer subscription has taken it over.</param>
internal sealed class HeldCursor(CursorClaim claim, Action lost)
{
    private readonly Lock _lock = new();
    private StreamPosition? _acknowledged;
    private StreamPosition? _stored;
    private bool _isLost;

    /// <summary>The cursor.</summary>
    public CursorKey Key => claim.Key;

    /// <summary>The claim's fence.</summary>
    public long Fence => claim.Fence;

    /// <summary>Where it stood when it was claimed; null for a new one.</summary>
    public StreamPosition? Start => claim.Position;

    /// <summary>Whether another has it now.</summary>
    public bool IsLost
    {
        get
        {
            lock (_lock)
            {
                return _isLost;
            }
        }
    }

    /// <summary>Whether it is ahead of what is stored.</summary>
    public bool IsDirty
    {
        get
        {
            lock (_lock)
            {
                return !_isLost && _acknowledged != _stored;
            }
        }
    }

    /// <summary>The consumer is done with everything up to a position.</summary>
    public void Acknowledge(StreamPosition position)
    {
        lock (_lock)
        {
            _acknowledged = position;
        }
    }

    /// <summary>The claim with what is to be stored; a null position where nothing is.</summary>
    public CursorClaim ToStore()
    {
        lock (_lock)
        {
            return claim with { Position = _acknowledged != _stored ? _acknowledged : null };
        }
    }

    /// <summary>A position is stored.</summary>
    public void OnStored(StreamPosition? position)
    {
        lock (_lock)
        {
            _stored = position ?? _stored;
        }
    }

    /// <summary>A newer subscription has it.</summary>
    public void OnLost()
    {
        lock (_lock)
        {
            if (_isLost)
            {
                return;
            }

            _isLost = true;
        }

        lost();
    }
}
