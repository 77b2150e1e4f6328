using AspireStreaming.PublisherApi.Healing;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Tests.Healing;

/// <summary>What is kept comes back as it was, whatever was let go of around it, and its memory is used again.</summary>
public sealed class RetainedPartitionTests
{
    private const int Spare = 4 * RetainedChunks.ChunkBytes;
    private const long Epoch = 7;

    private readonly RetainedChunks _chunks = new(Spare);
    private readonly RetainedPartition _partition;
    private long _order;

    public RetainedPartitionTests() => _partition = new RetainedPartition(_chunks);

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 20)];

    [Fact]
    public void Snapshot_gives_back_all_that_was_told_of_an_append()
    {
        AppendEvent[] events =
        [
            new("/source/ü", "id-1", false, "a", EventFlags.None, [1, 2, 3]),
            new("/ignored", "generated", true, "b", EventFlags.None, []),
            new("", "", false, "wørkflow.completed", EventFlags.Terminal, new byte[3 * RetainedChunks.ChunkBytes]),
        ];
        events[2].Frame.AsSpan().Fill(9);
        var first = new StreamPosition(Epoch, 41);
        var previous = new StreamPosition(Epoch - 1, 12);
        _partition.Add(new Acknowledged("orders", first, 1_700_000_000_123, previous, events, At(1)), ++_order);

        var (items, marks) = _partition.Snapshot(Epoch + 1);

        Assert.Empty(marks);
        var item = Assert.Single(items);
        Assert.Equal("orders", item.Stream);
        Assert.Equal(new StreamPosition(Epoch, 43), item.Last);
        Assert.Equal("wørkflow.completed", item.EndType);
        Assert.Equal(RetainedDeletion.None, item.Deletion);
        Assert.Equal([41, 42, 43], item.Events.Select(held => held.Position.Sequence));
        Assert.All(item.Events, held => Assert.Equal(1_700_000_000_123, held.RecordedAt));
        Assert.Equal([previous, null, null], item.Events.Select(held => held.Previous));
        Assert.Equal([EventIdentity.Of("/source/ü", "id-1"), [], EventIdentity.Of("", "")], item.Events.Select(held => held.Identity));
        Assert.Equal(events.Select(appended => appended.Frame), item.Events.Select(held => held.Frame));
    }

    [Fact]
    public void Snapshot_gives_back_deletions()
    {
        Delete("a", RetainedDeletion.FromHotLog, 1);
        Delete("b", RetainedDeletion.FromArchive, 2);

        var (items, _) = _partition.Snapshot(Epoch + 1);

        Assert.Equal([("a", RetainedDeletion.FromHotLog), ("b", RetainedDeletion.FromArchive)], items.Select(item => (item.Stream, item.Deletion)));
        Assert.All(items, item => Assert.Equal((new StreamPosition(Epoch, 5), 0), (item.Last, item.Events.Count)));
    }

    [Fact]
    public void Holds_looks_at_stream_and_position()
    {
        Add("orders", 10, 3, 1);

        Assert.True(_partition.Holds("orders", new StreamPosition(Epoch, 12)));
        Assert.False(_partition.Holds("orders", new StreamPosition(Epoch, 13)));
        Assert.False(_partition.Holds("order", new StreamPosition(Epoch, 12)));
        Assert.False(_partition.Holds("orders", new StreamPosition(Epoch + 1, 12)));
    }

    [Fact]
    public void Confirm_speaks_only_of_what_was_taken_down()
    {
        Add("a", 1, 1, 1);
        _partition.Snapshot(Epoch + 1);
        Add("a", 2, 1, 2);

        _partition.Confirm(Epoch + 1, new StreamPosition(Epoch + 1, 9));

        Assert.True(_partition.HasBefore(Epoch + 1));
        Assert.Equal(1, _partition.Release(new StreamPosition(Epoch + 1, 9)).Events);
        Assert.Equal(2, Assert.Single(_partition.Snapshot(Epoch + 1).Items).Last.Sequence);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_interleaving_keeps_what_a_list_would_keep(int seed)
    {
        var random = new Random(seed);
        var kept = new List<(string Stream, long Sequence, byte[] Frame, long LogId, long Bytes)>();
        var marks = new Dictionary<string, long>();
        var logId = 0L;
        for (var step = 0; step < 3_000; step++)
        {
            switch (random.Next(10))
            {
                case < 6:
                    var frame = new byte[random.Next(20) == 0 ? random.Next(3 * RetainedChunks.ChunkBytes) : random.Next(600)];
                    random.NextBytes(frame);
                    var stream = $"stream-{random.Next(5)}";
                    var item = new AppendEvent("/s", $"{step}", random.Next(2) == 0, "t", EventFlags.None, frame);
                    var bytes = _partition.Add(new Acknowledged(stream, new StreamPosition(Epoch, step), step, null, [item], At(++logId)), ++_order);
                    Assert.True(bytes >= frame.Length);
                    kept.Add((stream, step, frame, logId, bytes));
                    break;
                case < 8 when kept.Count > 0:
                    var evicted = _partition.Evict(mayMark: true)!.Value;
                    Assert.Equal((kept[0].Bytes, 1, marks.TryAdd(kept[0].Stream, 0)), evicted);
                    marks[kept[0].Stream] = kept[0].Sequence;
                    kept.RemoveAt(0);
                    break;
                case 8 when kept.Count > 0 && random.Next(20) == 0:
                    var upTo = kept[random.Next(kept.Count)].LogId;
                    var gone = kept.FindAll(entry => entry.LogId <= upTo);
                    Assert.Equal((gone.Sum(entry => entry.Bytes), (long)gone.Count), _partition.Release(At(upTo)));
                    kept.RemoveRange(0, gone.Count);
                    marks.Clear();
                    break;
                default:
                    Assert.Equal(kept.Count == 0 ? long.MaxValue : kept[0].LogId, _partition.OldestOrder);
                    break;
            }
        }

        var (items, known) = _partition.Snapshot(Epoch + 1);
        Assert.Equal(kept.Select(entry => (entry.Stream, entry.Sequence)), items.Select(item => (item.Stream, item.Last.Sequence)));
        Assert.Equal(kept.Select(entry => entry.Frame), items.Select(item => item.Events[0].Frame));
        Assert.Equal(marks.OrderBy(mark => mark.Key), known.Select(mark => KeyValuePair.Create(mark.Key, mark.Value.Last.Sequence)).OrderBy(mark => mark.Key));
    }

    [Fact]
    public void What_is_let_go_of_leaves_its_memory_for_what_comes_up_to_a_bound()
    {
        var frame = new byte[RetainedChunks.ChunkBytes / 4];
        for (var number = 1; number <= 60; number++)
        {
            Add("a", number, 1, number, frame);
        }

        Assert.Equal(0, _chunks.Spare);
        _partition.Release(At(60));
        Assert.Equal(Spare / RetainedChunks.ChunkBytes, _chunks.Spare);

        for (var number = 61; number <= 69; number++)
        {
            Add("a", number, 1, number, frame);
        }

        Assert.True(_chunks.Spare < Spare / RetainedChunks.ChunkBytes);
    }

    private static StreamPosition At(long logId) => new(Epoch, logId);

    private void Add(string stream, long sequence, int count, long logId, byte[]? frame = null)
    {
        var events = Enumerable.Range(0, count).Select(number => new AppendEvent("/s", $"{number}", false, "t", EventFlags.None, frame ?? "x"u8.ToArray()));
        _partition.Add(new Acknowledged(stream, new StreamPosition(Epoch, sequence), 1, null, [.. events], At(logId)), ++_order);
    }

    private void Delete(string stream, RetainedDeletion deletion, long logId) =>
        _partition.Add(new Acknowledged(stream, new StreamPosition(Epoch, 5), 0, null, [], At(logId), deletion), ++_order);
}
