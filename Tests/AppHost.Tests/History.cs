using System.Collections.Concurrent;

namespace AspireStreaming.AppHost.Tests;

/// <summary>
/// What was acknowledged and what a subscriber saw, and the one judgement over both: nothing acknowledged is missing, nothing came
/// twice, positions rise and are dense within an epoch unless a gap was announced.
/// </summary>
internal sealed class History
{
    private readonly ConcurrentDictionary<string, byte> _acknowledged = new();
    private readonly List<(long Epoch, long Sequence, string Id)> _seen = [];
    private readonly List<string> _announcements = [];
    private readonly Lock _lock = new();

    public int AcknowledgedCount => _acknowledged.Count;

    public int SeenCount
    {
        get
        {
            lock (_lock)
            {
                return _seen.Count;
            }
        }
    }

    public void Acknowledge(string id) => Assert.True(_acknowledged.TryAdd(id, 0), $"{id} was acknowledged twice as new");

    public void See(string position, string id)
    {
        var dash = position.IndexOf('-', StringComparison.Ordinal);
        lock (_lock)
        {
            _seen.Add((long.Parse(position.AsSpan(0, dash), null), long.Parse(position.AsSpan(dash + 1), null), id));
        }
    }

    public void Announce(string name, string data)
    {
        lock (_lock)
        {
            _announcements.Add($"{name} {data}");
        }
    }

    public bool HasSeenAll()
    {
        lock (_lock)
        {
            var ids = _seen.Select(entry => entry.Id).ToHashSet();
            return _acknowledged.Keys.All(ids.Contains);
        }
    }

    public void AssertComplete()
    {
        lock (_lock)
        {
            var ids = _seen.Select(entry => entry.Id).ToList();
            var missing = _acknowledged.Keys.Except(ids).ToList();
            Assert.True(missing.Count == 0, $"{missing.Count} acknowledged events never arrived, such as {string.Join(", ", missing.Take(5))}; announced: {string.Join("; ", _announcements)}");
            var twice = ids.GroupBy(id => id).Where(group => group.Count() > 1).Select(group => group.Key).ToList();
            Assert.True(twice.Count == 0, $"{twice.Count} events came twice, such as {string.Join(", ", twice.Take(5))}");
            for (var index = 1; index < _seen.Count; index++)
            {
                var (before, after) = (_seen[index - 1], _seen[index]);
                var inOrder = after.Epoch == before.Epoch ? after.Sequence == before.Sequence + 1 : after.Epoch > before.Epoch;
                Assert.True(inOrder, $"{after} came after {before}");
            }

            Assert.DoesNotContain(_announcements, announcement => announcement.StartsWith("stream.gap", StringComparison.Ordinal));
        }
    }
}
