using System.Diagnostics;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>What a window has for a cursor.</summary>
internal enum WindowRead
{
    /// <summary>The events after it.</summary>
    Found,

    /// <summary>The cursor stands at the window's end.</summary>
    AtTail,

    /// <summary>The cursor's next event is not here; slower tiers know.</summary>
    Outside,
}

/// <summary>
/// The newest events of one stream, a ring bounded in events and bytes. Without holes: between two neighbours the log has nothing.
/// Not thread-safe; its feed guards it.
/// </summary>
internal sealed class StreamWindow(int maxEvents, long maxBytes, WindowBudget budget)
{
    /// <summary>What stays of a window while all windows together are too large.</summary>
    private const int MinEvents = 16;

    private EncodedEvent?[] _ring = new EncodedEvent?[MinEvents];
    private int _head;

    /// <summary>The window has everything after this position up to <see cref="Last"/>.</summary>
    public StreamPosition Before { get; private set; }

    /// <summary>Position of the newest event, also when the window is empty.</summary>
    public StreamPosition Last { get; private set; }

    /// <summary>Number of events.</summary>
    public int Count { get; private set; }

    /// <summary>Their size, bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>The oldest event; null when empty.</summary>
    public EncodedEvent? First => Count == 0 ? null : At(0);

    /// <summary>The newest event; null when empty.</summary>
    public EncodedEvent? Newest => Count == 0 ? null : At(Count - 1);

    /// <summary>Empties the window; it then stands at a position.</summary>
    public void Reset(StreamPosition position)
    {
        Array.Clear(_ring);
        budget.Add(-Bytes);
        _head = 0;
        Count = 0;
        Bytes = 0;
        Before = position;
        Last = position;
    }

    /// <summary>Adds the event that follows <see cref="Last"/>; the caller has judged that it does.</summary>
    public void Append(EncodedEvent next)
    {
        Debug.Assert(next.Position > Last, "Events are appended in order.");
        if (Count == _ring.Length && Count < maxEvents)
        {
            Grow();
        }

        while (Count > 0 && (Count >= maxEvents || Bytes + next.Size > maxBytes || (Count >= MinEvents && budget.IsExceeded)))
        {
            DropOldest();
        }

        _ring[(_head + Count) % _ring.Length] = next;
        Count++;
        Bytes += next.Size;
        budget.Add(next.Size);
        Last = next.Position;
    }

    /// <summary>Keeps the newest few events only.</summary>
    public void Shrink()
    {
        while (Count > MinEvents)
        {
            DropOldest();
        }

        if (_ring.Length > MinEvents)
        {
            Resize(MinEvents);
        }
    }

    /// <summary>Lets readers from the very start in, when it is known that the stream has nothing before the oldest event here.</summary>
    public void ClaimStart()
    {
        if (First is { Position.Sequence: 1, Previous: null } first && Before == Continuity.Before(first))
        {
            Before = StreamPosition.Zero;
        }
    }

    /// <summary>Copies the events after a cursor, as many as fit; a batch never goes beyond an epoch border that it does not start with.</summary>
    public WindowRead Read(StreamPosition cursor, Span<EncodedEvent?> into, long bytes, out int count)
    {
        count = 0;
        if (cursor == Last)
        {
            return WindowRead.AtTail;
        }

        var index = cursor == Before ? 0 : IndexOf(cursor) + 1;
        if (index == 0 && cursor != Before)
        {
            return WindowRead.Outside;
        }

        for (; index < Count && count < into.Length; index++)
        {
            var item = At(index);
            bytes -= item.Size;
            if (count > 0 && (bytes < 0 || item.Position.Epoch != into[count - 1]!.Position.Epoch))
            {
                break;
            }

            into[count++] = item;
        }

        return WindowRead.Found;
    }

    private int IndexOf(StreamPosition position)
    {
        // Sequences are dense within an epoch, so most readers are where arithmetic says.
        var guess = Count - 1 - (Last.Sequence - position.Sequence);
        if (position.Epoch == Last.Epoch && guess >= 0 && guess < Count && At((int)guess).Position == position)
        {
            return (int)guess;
        }

        int low = 0, high = Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = At(middle).Position.CompareTo(position);
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return -1;
    }

    private EncodedEvent At(int index) => _ring[(_head + index) % _ring.Length]!;

    private void DropOldest()
    {
        var oldest = At(0);
        _ring[_head] = null;
        _head = (_head + 1) % _ring.Length;
        Count--;
        Bytes -= oldest.Size;
        budget.Add(-oldest.Size);
        Before = oldest.Position;
    }

    private void Grow() => Resize(Math.Min(_ring.Length * 2, Math.Max(maxEvents, MinEvents)));

    private void Resize(int length)
    {
        var ring = new EncodedEvent?[length];
        for (var index = 0; index < Count; index++)
        {
            ring[index] = At(index);
        }

        _ring = ring;
        _head = 0;
    }
}
