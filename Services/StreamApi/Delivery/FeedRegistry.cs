namespace AspireStreaming.StreamApi.Delivery;

/// <summary>The feeds of this replica: one per stream with readers. Thread-safe.</summary>
internal sealed class FeedRegistry(FeedServices services)
{
    private readonly Dictionary<string, Entry> _feeds = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private bool _stopped;

    /// <summary>Number of streams followed.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _feeds.Count;
            }
        }
    }

    /// <summary>All feeds, as they are now.</summary>
    public StreamFeed[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _feeds.Values.Select(entry => entry.Feed)];
        }
    }

    /// <summary>The stream's feed, if it is followed.</summary>
    public StreamFeed? Find(string stream)
    {
        lock (_lock)
        {
            return _feeds.TryGetValue(stream, out var entry) ? entry.Feed : null;
        }
    }

    /// <summary>Takes hold of the stream's feed; each hold is given back by <see cref="Release"/>. Null when there are too many feeds.</summary>
    public StreamFeed? TryAcquire(string stream)
    {
        StreamFeed feed;
        lock (_lock)
        {
            if (_feeds.TryGetValue(stream, out var entry))
            {
                entry.Holds++;
                return entry.Feed;
            }

            if (_stopped || _feeds.Count >= services.Options.MaxFeeds)
            {
                return null;
            }

            feed = new StreamFeed(stream, services);
            _feeds.Add(stream, new Entry(feed) { Holds = 1 });
        }

        feed.Start();
        return feed;
    }

    /// <summary>Gives a hold back.</summary>
    public void Release(StreamFeed feed)
    {
        lock (_lock)
        {
            if (_feeds.TryGetValue(feed.Stream, out var entry) && entry.Feed == feed && --entry.Holds == 0)
            {
                entry.IdleSince = services.Time.GetTimestamp();
            }
        }
    }

    /// <summary>Stops the feeds that nobody has held for long enough.</summary>
    public Task SweepAsync() => StopAsync(entry => entry.Holds == 0 && services.Time.GetElapsedTime(entry.IdleSince) >= services.Options.FeedLinger);

    /// <summary>Stops all feeds, for good.</summary>
    public Task StopAllAsync()
    {
        lock (_lock)
        {
            _stopped = true;
        }

        return StopAsync(_ => true);
    }

    private Task StopAsync(Func<Entry, bool> condition)
    {
        List<StreamFeed> stopping = [];
        lock (_lock)
        {
            foreach (var (stream, entry) in _feeds)
            {
                if (condition(entry))
                {
                    stopping.Add(entry.Feed);
                    _feeds.Remove(stream);
                }
            }
        }

        return Task.WhenAll(stopping.Select(feed => feed.DisposeAsync().AsTask()));
    }

    private sealed class Entry(StreamFeed feed)
    {
        public StreamFeed Feed => feed;

        public int Holds { get; set; }

        public long IdleSince { get; set; }
    }
}
