using System.Text;
using AspireStreaming.Archive;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Tests.Delivery;

/// <summary>Epoch borders on a real hot log and an archive that knows what the test says.</summary>
public sealed class BorderTests(SharedHost shared)
{
    private readonly string _stream = TestLog.NewStream("border");
    private readonly Archive _archive = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Border_that_names_the_readers_position_still_asks_the_archive()
    {
        await LogAsync("100-3", null);
        await LogAsync("200-4", "100-3");
        _archive.Add("100-3", "100-4", "100-5");
        await RaisedAsync(200);

        var read = await ReadAsync("100-3");

        Assert.Equal(["100-4", "100-5"], read.Events.Select(item => item.Position.ToString()));
        Assert.Null(read.Before);
        Assert.Equal(Tier.Archive, read.Source);
    }

    [Fact]
    public async Task Border_is_crossed_once_the_archive_has_passed_the_raise()
    {
        await LogAsync("200-4", "100-3");
        _archive.Add("100-3");
        await RaisedAsync(200);
        var reading = ReadAsync("100-3", patience: TimeSpan.FromSeconds(20));
        await Assert.ThrowsAsync<TimeoutException>(() => reading.WaitAsync(TimeSpan.FromMilliseconds(300), TimeProvider.System, Cancelled));

        _archive.Watermark = new StreamPosition(200, 1);

        var read = await reading;
        Assert.Equal(["200-4"], read.Events.Select(item => item.Position.ToString()));
        Assert.Equal(new Discontinuity(null, new EpochBorder(At("100-3"), At("200-4"), 0)), read.Before);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Border_that_the_archive_cannot_prove_in_time_is_announced(bool isAway)
    {
        await LogAsync("200-4", "100-3");
        _archive.Add("100-3");
        _archive.IsAway = isAway;
        await RaisedAsync(200);

        var read = await ReadAsync("100-3", patience: TimeSpan.FromMilliseconds(200));

        Assert.Equal(["200-4"], read.Events.Select(item => item.Position.ToString()));
        Assert.Equal(
            new Discontinuity(new Gap(At("100-3"), At("200-3"), null, GapReasons.Epoch), new EpochBorder(At("100-3"), At("200-4"), null)), read.Before);
    }

    [Fact]
    public async Task Hole_whose_events_are_stored_later_is_filled_with_them_and_times_do_not_fall()
    {
        await LogAsync("100-6", null);
        _archive.Add("100-3");
        _archive.Moved.AddRange(
            [new(At("100-4"), At("200-9"), Archive.Event(At("200-9"), 1_800_000_000_000)), new(At("100-5"), At("200-11"), Archive.Event(At("200-11"), 1_800_000_000_000))]);

        var read = await ReadAsync("100-3");

        Assert.Equal(["100-4", "100-5"], read.Events.Select(item => item.Position.ToString()));
        Assert.All(read.Events, item => Assert.Equal(1_700_000_000_000, item.RecordedAt));
        Assert.Null(read.Before);
        Assert.Equal(At("100-5"), read.Cursor);
    }

    [Fact]
    public async Task Hole_whose_events_are_stored_earlier_is_passed_over_with_a_word()
    {
        await LogAsync("100-6", null);
        _archive.Add("100-3");
        _archive.Moved.AddRange([new(At("100-4"), At("100-1"), null), new(At("100-5"), At("100-2"), null)]);

        var read = await ReadAsync("100-3");

        Assert.Equal(new Discontinuity(null, null, new Passage(At("100-3"), At("100-5"))), read.Before);
        Assert.Empty(read.Events);
        Assert.Equal(At("100-5"), read.Cursor);
    }

    [Fact]
    public async Task Hole_of_which_only_a_part_is_stored_elsewhere_is_announced()
    {
        await LogAsync("100-6", null);
        _archive.Add("100-3");
        _archive.Moved.Add(new(At("100-5"), At("200-9"), Archive.Event(At("200-9"), 1_800_000_000_000)));

        var read = await ReadAsync("100-3");

        Assert.Equal(new Discontinuity(new Gap(At("100-3"), At("100-5"), 2, GapReasons.Unknown), null), read.Before);
        Assert.Equal(["100-6"], read.Events.Select(item => item.Position.ToString()));
    }

    [Fact]
    public void DeliveredRuns_contain_what_was_passed_without_a_hole()
    {
        var runs = new DeliveredRuns();
        foreach (var position in new[] { "100-5", "100-6", "100-7", "100-10", "200-8", "200-9" })
        {
            runs.Reached(At(position));
        }

        Assert.All(["100-1", "100-5", "100-6", "100-7", "100-10", "200-9", "90-3"], position => Assert.True(HasHad(position), position));
        Assert.All(["100-8", "100-9", "100-11", "200-7", "150-1"], position => Assert.False(HasHad(position), position));
        Assert.True(HasHad("100-4", EventFlags.BeyondBorder));
        Assert.False(HasHad("90-3", EventFlags.BeyondBorder), "Who began in a later epoch may have come there without it.");

        bool HasHad(string first, EventFlags flags = EventFlags.None) => runs.HasHad(EncodedEvent.Encode("s", new StoredEvent(
            At("300-1"),
            0,
            new EventFrame(EventFrame.Encode(
                "T", EventFlags.Repeated | flags, Encoding.UTF8.GetBytes($"\"specversion\":\"1.0\",\"id\":\"a\",\"firstposition\":\"{first}\"}}"))))));
    }

    private static StreamPosition At(string text) => ContinuityTests.At(text);

    private async Task<TierRead> ReadAsync(string cursor, TimeSpan? patience = null)
    {
        using var tiers = new TierReader(
            shared.Log.Reader,
            _archive,
            shared.Host.Services.GetRequiredService<RedisGate>(),
            Options.Create(new DeliveryOptions { BorderPatience = patience ?? TimeSpan.FromSeconds(5) }),
            TimeProvider.System);
        return await tiers.ReadAsync(_stream, At(cursor), TierSet.All, null, 10, Cancelled);
    }

    private async Task LogAsync(string position, string? previous)
    {
        List<object> arguments = [StreamKeys.Stream(_stream), position, "e", shared.Log.Event().Frame, "r", "1700000000000"];
        if (previous is not null)
        {
            arguments.AddRange(["p", previous]);
        }

        await shared.Log.Database.ExecuteAsync("XADD", [.. arguments]);
    }

    /// <summary>The partition's archive log begins an epoch at least as high; other tests share the partition.</summary>
    private async Task RaisedAsync(long epoch)
    {
        var end = await shared.Log.Reader.ReadArchiveLogEndAsync(StreamName.PartitionOf(_stream), Cancelled);
        if (end.Epoch < epoch)
        {
            await shared.Log.Database.ExecuteAsync("XADD", StreamKeys.Archive(StreamName.PartitionOf(_stream)), $"{epoch}-*", "h", "r - 0");
        }
        else
        {
            _archive.Shift = end.Epoch - epoch;
        }
    }

    private sealed class Archive : IArchiveTier
    {
        private readonly List<StoredEvent> _events = [];

        public bool IsConfigured => true;

        public bool IsAway { get; set; }

        public StreamPosition Watermark { get; set; }

        public long Shift { get; set; }

        public List<MovedEvent> Moved { get; } = [];

        public void Add(params string[] positions) => _events.AddRange(positions.Select(position => Event(At(position), 1_700_000_000_000)));

        public static StoredEvent Event(StreamPosition position, long recordedAt) => new(
            position,
            recordedAt,
            new EventFrame(EventFrame.Encode("T", EventFlags.None, Encoding.UTF8.GetBytes("\"specversion\":\"1.0\",\"id\":\"a\"}"))));

        public Task<StoredEvent[]> ReadAfterAsync(string stream, StreamPosition after, int count, CancellationToken cancellationToken) =>
            Answer<StoredEvent[]>([.. _events.Where(item => item.Position > after).Take(count)]);

        public Task<StoredEvent[]> ReadBeforeAsync(string stream, StreamPosition? before, int count, CancellationToken cancellationToken) =>
            Answer<StoredEvent[]>([.. _events.Where(item => before is null || item.Position < before).Reverse().Take(count)]);

        public Task<ColdStream?> ReadStreamAsync(string stream, CancellationToken cancellationToken) => Answer<ColdStream?>(null);

        public Task<IReadOnlyList<ColdStream>> ListStreamsAsync(
            int limit, (DateTimeOffset UpdatedAt, string Name)? after, CancellationToken cancellationToken) => Answer<IReadOnlyList<ColdStream>>([]);

        public Task<StreamPosition?> FindByTimeAsync(string stream, DateTimeOffset recordedFrom, CancellationToken cancellationToken) =>
            Answer<StreamPosition?>(null);

        public Task<StreamPosition> ReadWatermarkAsync(int partition, CancellationToken cancellationToken) =>
            Answer(Watermark.IsZero ? Watermark : Watermark with { Epoch = Watermark.Epoch + Shift });

        public Task<int> CountDeadAsync(string stream, StreamPosition after, StreamPosition upTo, int most, CancellationToken cancellationToken) => Answer(0);

        public Task<MovedEvent[]> ReadMovedAsync(
            string stream, StreamPosition after, StreamPosition upTo, int count, CancellationToken cancellationToken) =>
            Answer<MovedEvent[]>([.. Moved.Where(item => item.Position > after && item.Position <= upTo).Take(count)]);

        private Task<T> Answer<T>(T answer) =>
            IsAway ? Task.FromException<T>(new ArchiveUnavailableException("away")) : Task.FromResult(answer);
    }
}
