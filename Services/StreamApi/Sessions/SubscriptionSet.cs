using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// A session's subscriptions: which there are, which have something to do, how much may be sent. Signals come from any thread and
/// listings read what there is; everything else is the session's loop's.
/// </summary>
internal sealed class SubscriptionSet(SessionOptions options, DurableCursors cursors, ReaderSignal loop) : IAsyncDisposable
{
    /// <summary>Ended subscriptions that are kept for their last acknowledgements.</summary>
    private const int MaxEnded = 1_000;

    private readonly ConcurrentDictionary<string, SessionSubscription> _all = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<SessionSubscription> _ready = new();
    private readonly Queue<SessionSubscription> _starved = new();
    private readonly Queue<SessionSubscription> _ended = new();
    private readonly List<Task> _releases = [];
    private StreamFollower[] _followers = [];
    private int _open;
    private int _inFlight;

    /// <summary>All of them, also those that only wait for their last acknowledgements.</summary>
    public IEnumerable<SessionSubscription> All => _all.Values;

    /// <summary>What the open ones follow.</summary>
    public IReadOnlyList<StreamFollower> Followers => Volatile.Read(ref _followers);

    /// <summary>Open subscriptions.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Unacknowledged events.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Whether one has something to do.</summary>
    public bool HasReady => !_ready.IsEmpty;

    /// <summary>The subscription of a name.</summary>
    public SessionSubscription? Find(string sub) => _all.GetValueOrDefault(sub);

    /// <summary>The name that one of them has, from its ASCII form; null when none has it. From any thread.</summary>
    public string? NameOf(ReadOnlySpan<byte> ascii)
    {
        Span<char> name = stackalloc char[SessionCommands.MaxSubLength];
        return ascii.Length <= name.Length
            && Ascii.ToUtf16(ascii, name, out var length) == OperationStatus.Done
            && _all.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name[..length], out var known, out _) ? known : null;
    }

    /// <summary>Adds one; an ended one of that name is forgotten.</summary>
    public void Add(SessionSubscription subscription)
    {
        if (_all.TryGetValue(subscription.Sub, out var ended))
        {
            Remove(ended);
        }

        _all[subscription.Sub] = subscription;
        Volatile.Write(ref _open, _open + 1);
    }

    /// <summary>It follows a stream now.</summary>
    public void Attach(SessionSubscription subscription, StreamFollower follower)
    {
        subscription.Follower = follower;
        Volatile.Write(ref _followers, [.. _followers, follower]);
    }

    /// <summary>Puts one among those that have something to do; called by its signal, from any thread.</summary>
    public void Enqueue(SessionSubscription subscription)
    {
        _ready.Enqueue(subscription);
        loop.Set();
    }

    /// <summary>Takes the open one that has waited longest.</summary>
    public bool TryDequeue([NotNullWhen(true)] out SessionSubscription? subscription)
    {
        while (_ready.TryDequeue(out subscription))
        {
            subscription.OnDequeued();
            if (!subscription.IsEnded)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>How many events it may be sent now: what its own window allows, and the session's limit.</summary>
    public int CreditOf(SessionSubscription subscription)
    {
        if (!subscription.Window.IsCounting)
        {
            return int.MaxValue;
        }

        var own = subscription.Window.Credit;
        var credit = Math.Min(own, options.MaxInFlight - _inFlight);
        if (credit <= 0 && own > 0)
        {
            _starved.Enqueue(subscription);
        }

        return Math.Max(0, credit);
    }

    /// <summary>An event is sent.</summary>
    public void OnSent(SessionSubscription subscription, StreamPosition position, long now)
    {
        subscription.Window.OnSent(position, now);
        if (subscription.Window.IsCounting)
        {
            Volatile.Write(ref _inFlight, _inFlight + 1);
        }
    }

    /// <summary>The client is done with everything up to a position.</summary>
    public void OnAcknowledged(SessionSubscription subscription, StreamPosition position, long now)
    {
        Volatile.Write(ref _inFlight, _inFlight - subscription.Window.OnAcknowledged(position, now));
        subscription.ActiveAt = now;
        subscription.StoreAcknowledged(subscription.Window.Acknowledged);
        if (!subscription.IsEnded)
        {
            if (subscription.IsPaused)
            {
                subscription.Set();
            }
        }
        else if (subscription.Window.InFlight == 0)
        {
            Remove(subscription);
        }

        while (_inFlight < options.MaxInFlight && _starved.TryDequeue(out var starved))
        {
            starved.Set();
        }
    }

    /// <summary>Nothing more is delivered to it; what was may still be acknowledged.</summary>
    public void End(SessionSubscription subscription)
    {
        Close(subscription);
        if (subscription.Window.InFlight == 0 && (subscription.Cursor is null || subscription.Window.IsCounting))
        {
            Remove(subscription);
            return;
        }

        _ended.Enqueue(subscription);
        if (_ended.Count > MaxEnded && _ended.TryDequeue(out var oldest) && Find(oldest.Sub) == oldest)
        {
            Remove(oldest);
        }
    }

    /// <summary>It is over in every respect.</summary>
    public void Remove(SessionSubscription subscription)
    {
        Close(subscription);
        Volatile.Write(ref _inFlight, _inFlight - subscription.Window.InFlight);
        _all.TryRemove(subscription.Sub, out _);
        _releases.RemoveAll(task => task.IsCompleted);
        _releases.Add(ReleaseAsync(subscription));
    }

    /// <summary>Ends all of them.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var subscription in All)
        {
            Remove(subscription);
        }

        await Task.WhenAll(_releases);
    }

    private void Close(SessionSubscription subscription)
    {
        if (!subscription.IsEnded)
        {
            subscription.IsEnded = true;
            Volatile.Write(ref _open, _open - 1);
            if (subscription.Follower is { } follower)
            {
                follower.Dispose();
                subscription.Follower = null;
                Volatile.Write(ref _followers, [.. _followers.Where(other => other != follower)]);
            }
        }
    }

    /// <summary>Gives the subscription's cursor back; never fails.</summary>
    private async Task ReleaseAsync(SessionSubscription subscription)
    {
        if (subscription.Claiming is { } claiming)
        {
            await ((Task)claiming).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            subscription.Cursor = claiming.IsCompletedSuccessfully ? claiming.GetAwaiter().GetResult() : null;
        }

        if (subscription.Cursor is { } cursor)
        {
            await cursors.ReleaseAsync(cursor);
        }
    }
}
