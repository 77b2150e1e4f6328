using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using static AspireStreaming.PublisherApi.Tests.Healing.HealingPublisher;

namespace AspireStreaming.PublisherApi.Tests.Healing;

/// <summary>One interleaving each, on a server of its own because it breaks it.</summary>
public sealed class HealingTests : IAsyncLifetime
{
    private const string Stream = "healed";

    private readonly ModelArchive _archive = new();
    private RedisProcess _redis = null!;
    private HealingPublisher _publisher = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static int Partition => StreamName.PartitionOf(Stream);

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync(arguments: ["--enable-debug-command", "yes"], cancellationToken: Cancelled);
        _publisher = NewPublisher();
    }

    public async ValueTask DisposeAsync()
    {
        _publisher.Dispose();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task Wiped_events_are_back_at_their_positions_and_a_new_epoch_goes_on_after_them()
    {
        var before = await _publisher.AppendAsync(Stream, Event("1"), Event("2"), Event("3"));
        var recorded = (await _publisher.ReadAllAsync(Stream)).Select(stored => stored.RecordedAt).ToList();
        await WipeAsync();

        var after = await _publisher.AppendAsync(Stream, Event("2"), Event("4"));

        var read = await _publisher.ReadAllAsync(Stream);
        Assert.Equal(["1", "2", "3", "4"], read.Select(IdOf));
        Assert.Equal([before.First, before.First.Next, before.Last], read.Take(3).Select(stored => stored.Position));
        Assert.Equal(recorded, read.Take(3).Select(stored => stored.RecordedAt));
        Assert.Equal((1, 1), (after.Accepted, after.Duplicates));
        Assert.Equal(before.First.Next, after.First);
        Assert.True(after.Last.Epoch > before.Last.Epoch);
        Assert.Equal(4, after.Last.Sequence);
        Assert.Equal(before.Last, read[3].Previous);
        await DrainAsync();
        Assert.Equal(["1", "2", "3", "4"], _archive.Of(Stream).Values.Select(IdOf));
    }

    [Fact]
    public async Task Wiped_quiet_stream_is_put_back_by_the_check()
    {
        await _publisher.AppendAsync(Stream, Event("1"));
        await WipeAsync();

        await _publisher.SettleAsync(Stream);

        Assert.Equal(["1"], (await _publisher.ReadAllAsync(Stream)).Select(IdOf));
        Assert.False((await _publisher.Fence.CheckAsync(Partition, Cancelled)).IsHealing);
    }

    [Fact]
    public async Task Several_publishers_put_back_what_each_holds()
    {
        using var other = NewPublisher();
        for (var number = 1; number <= 20; number++)
        {
            await (number % 3 == 0 ? other : _publisher).AppendAsync(Stream, Event($"{number}"));
        }

        var positions = (await _publisher.ReadAllAsync(Stream)).Select(stored => stored.Position).ToList();
        await WipeAsync();

        await Task.WhenAll(_publisher.SettleAsync(Stream), other.SettleAsync(Stream));

        var read = await _publisher.ReadAllAsync(Stream);
        Assert.Equal(positions, read.Select(stored => stored.Position));
        Assert.Equal(Enumerable.Range(1, 20).Select(number => $"{number}"), read.Select(IdOf));
    }

    [Fact]
    public async Task Duplicate_is_kept_by_whom_it_was_told()
    {
        var first = await _publisher.AppendAsync(Stream, Event("1"), Event("2"));
        using var other = NewPublisher();
        var again = await other.AppendAsync(Stream, Event("2"));
        Assert.Equal((first.Last, 1), (again.Last, again.Duplicates));
        await WipeAsync();

        await other.SettleAsync(Stream);

        Assert.Equal(["2"], (await other.ReadAllAsync(Stream)).Select(IdOf));
        Assert.Equal(first.Last, (await other.ReadAllAsync(Stream))[0].Position);
    }

    [Fact]
    public async Task End_comes_back_with_its_event()
    {
        await _publisher.AppendAsync(Stream, Event("1"), Event("2", type: "STREAM_END"));
        await WipeAsync();

        await _publisher.SettleAsync(Stream);

        Assert.Equal(AppendStatus.Ended, (await _publisher.AppendAsync(Stream, Event("3"))).Status);
        Assert.Equal("ended", (await _publisher.Reader.ReadMetaAsync(Stream, Cancelled))!.EndState);
    }

    [Fact]
    public async Task Deletion_is_not_undone_by_an_old_snapshot()
    {
        await _publisher.AppendAsync(Stream, Event("1"));
        await _publisher.Database.ExecuteAsync("SAVE");
        Assert.True(await _publisher.DeleteAsync(Stream));
        var next = await _publisher.AppendAsync(Stream, Event("2"));
        await _publisher.LoseTailAsync();

        await _publisher.SettleAsync(Stream);

        var read = await _publisher.ReadAllAsync(Stream);
        Assert.Equal(["2"], read.Select(IdOf));
        Assert.Equal(next.First, read[0].Position);
        await DrainAsync();
        Assert.Equal(["2"], _archive.Of(Stream).Values.Select(IdOf));
    }

    [Fact]
    public async Task Late_publisher_uses_the_same_positions_if_nothing_newer_is_there()
    {
        var before = await _publisher.AppendAsync(Stream, Event("1"));
        await WipeAsync();
        using (var other = NewPublisher())
        {
            await other.SettleAsync(Stream);
            Assert.Empty(await other.ReadAllAsync(Stream));
        }

        await _publisher.SettleAsync(Stream);

        Assert.Equal(before.Last, Assert.Single(await _publisher.ReadAllAsync(Stream)).Position);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Late_publisher_appends_again_where_the_stream_has_gone_on(bool generated)
    {
        var attempt = GeneratedId.NewAttempt();
        var id = generated ? GeneratedId.For(attempt, 0) : "1";
        var before = await _publisher.AppendAsync(new AppendRequest { Stream = Stream, Attempt = attempt, Events = [Event(id, generated)] });
        await WipeAsync();
        using var other = NewPublisher();
        var newer = await other.AppendAsync(Stream, Event("2"));

        await _publisher.SettleAsync(Stream);
        await _publisher.SettleAsync(Stream);

        var read = await _publisher.ReadAllAsync(Stream);
        Assert.Equal(["2", id], read.Select(IdOf));
        Assert.Equal(newer.Last.Next, read[1].Position);
        Assert.Equal(before.Last, read[1].Frame.FirstPosition());
        Assert.Equal(EventFlags.Repeated | EventFlags.BeyondBorder, read[1].Frame.Flags);
        Assert.Contains($"\"datacontenttype\":\"application/json\",\"firstposition\":\"{before.Last}\",\"data\":1}}", System.Text.Encoding.UTF8.GetString(read[1].Frame.Json.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Late_event_that_stood_before_what_the_next_epoch_knew_says_so()
    {
        using var other = NewPublisher();
        var lost = await _publisher.AppendAsync(Stream, Event("1"));
        await other.AppendAsync(Stream, Event("2"));
        await WipeAsync();
        await other.AppendAsync(Stream, Event("3"));

        await _publisher.SettleAsync(Stream);

        var read = await _publisher.ReadAllAsync(Stream);
        Assert.Equal(["2", "3", "1"], read.Select(IdOf));
        Assert.Equal(lost.Last, read[2].Frame.FirstPosition());
        Assert.Equal(EventFlags.Repeated, read[2].Frame.Flags);
    }

    [Fact]
    public async Task Late_publisher_whose_event_was_archived_meanwhile_does_nothing()
    {
        await _publisher.AppendAsync(Stream, Event("1"));
        await _archive.ReadAsync(_publisher, Partition);
        await WipeAsync();
        _archive.Commit(Partition);
        using var other = NewPublisher();
        await other.AppendAsync(Stream, Event("2"));

        await _publisher.SettleAsync(Stream);

        Assert.Equal(["2"], (await _publisher.ReadAllAsync(Stream)).Select(IdOf));
    }

    [Fact]
    public async Task Late_event_that_the_archive_turns_out_to_have_becomes_an_alias()
    {
        var before = await _publisher.AppendAsync(Stream, Event("1"));
        await _archive.ReadAsync(_publisher, Partition);
        await WipeAsync();
        using var other = NewPublisher();
        await other.AppendAsync(Stream, Event("2"));
        await _publisher.SettleAsync(Stream);
        var repeated = (await _publisher.ReadAllAsync(Stream))[1].Position;

        _archive.Commit(Partition);
        await DrainAsync();

        Assert.Equal(["1", "2"], _archive.Of(Stream).Values.Select(IdOf));
        Assert.True(_archive.IsAlias(Stream, repeated));
        Assert.False(_archive.IsAlias(Stream, before.Last));
    }

    [Fact]
    public async Task Forced_out_events_leave_a_hole_that_arithmetic_shows()
    {
        using var small = new HealingPublisher(_redis.ConnectionString, _archive, maxRetainedBytes: 2_000);
        AppendResult last = null!;
        for (var number = 1; number <= 20; number++)
        {
            last = await small.AppendAsync(Stream, Event($"{number}"));
        }

        Assert.True(small.Acknowledged.Evicted > 0);
        Assert.True(small.Acknowledged.Bytes <= 2_000);
        var kept = small.Acknowledged.Events;
        await WipeAsync();

        var next = await small.AppendAsync(Stream, Event("next"));

        var read = await small.ReadAllAsync(Stream);
        Assert.Equal(21, next.Last.Sequence);
        Assert.Equal(last.Last, read[^1].Previous);
        Assert.Equal(kept, read.Length - 1);
    }

    [Fact]
    public async Task All_forced_out_the_last_acknowledged_position_is_still_known()
    {
        using var none = new HealingPublisher(_redis.ConnectionString, _archive, maxRetainedBytes: 0);
        var last = await none.AppendAsync(Stream, Event("1"), Event("2"));
        await WipeAsync();

        var next = await none.AppendAsync(Stream, Event("3"));

        Assert.Equal(3, next.Last.Sequence);
        Assert.Equal(last.Last, Assert.Single(await none.ReadAllAsync(Stream)).Previous);
    }

    [Fact]
    public async Task Archived_events_are_let_go_and_a_watermark_of_a_later_epoch_says_nothing()
    {
        await _publisher.AppendAsync(Stream, Event("1"));
        Assert.Equal(1, _publisher.Acknowledged.Events);
        _publisher.Acknowledged.Archived(Partition, new StreamPosition(StreamPosition.MaxValue, 1));
        Assert.Equal(1, _publisher.Acknowledged.Events);

        await DrainAsync();
        await _publisher.SettleAsync(Stream);

        Assert.Equal(0, _publisher.Acknowledged.Events);
        Assert.Equal(0, _publisher.Acknowledged.Bytes);
    }

    [Fact]
    public async Task Events_acknowledged_before_a_raise_and_kept_after_it_are_healed_too()
    {
        var request = Request(Stream, Event("1"));
        var result = await _publisher.Log.AppendAsync(request, Cancelled);
        await WipeAsync();
        await _publisher.AppendAsync("other-" + Stream, Event("2"));
        await _publisher.SettleAsync(Stream);

        await _publisher.Acknowledged.KeepAsync(request, result, Cancelled);
        await _publisher.SettleAsync(Stream);

        Assert.Equal(["1"], (await _publisher.ReadAllAsync(Stream)).Select(IdOf));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Repeats_of_archived_events_that_Redis_has_lost_are_known_also_after_the_next_epoch_began(bool heldLater)
    {
        var first = await _publisher.AppendAsync(Stream, Event("1"), Event("2"));
        await DrainAsync();
        if (heldLater)
        {
            await _publisher.AppendAsync(Stream, Event("3"));
        }

        await WipeAsync();
        await _publisher.SettleAsync(Stream);
        await _publisher.AppendAsync(Stream, Event("4"));

        var again = await _publisher.AppendAsync(Stream, Event("2"), Event("5"));

        Assert.Equal((1, 1), (again.Accepted, again.Duplicates));
        Assert.Equal(first.Last, again.First);
        await DrainAsync();
        Assert.Equal(heldLater ? ["1", "2", "3", "4", "5"] : ["1", "2", "4", "5"], _archive.Of(Stream).Values.Select(IdOf));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Retry_of_generated_ids_finds_what_a_try_without_answer_left_to_the_archive_alone(bool nextEpochBegan)
    {
        await _publisher.AppendAsync(Stream, Event("1"));
        var attempt = GeneratedId.NewAttempt();
        var request = new AppendRequest
        {
            Stream = Stream,
            Attempt = attempt,
            Events = [.. Enumerable.Range(0, 2).Select(index => Event(GeneratedId.For(attempt, index), generated: true))],
        };

        // The answer is lost: nothing is kept of it.
        var first = await _publisher.Log.AppendAsync(request, Cancelled);
        await DrainAsync();
        await WipeAsync();
        await _publisher.SettleAsync(Stream);
        if (nextEpochBegan)
        {
            await _publisher.AppendAsync(Stream, Event("2"));
        }

        var again = await _publisher.AppendAsync(request);

        Assert.Equal((2, 0), (again.Accepted, again.Duplicates));
        Assert.Equal((first.First, first.Last), (again.First, again.Last));
        await DrainAsync();
        Assert.Equal(
            ["1", .. request.Events.Select(item => item.Id), .. nextEpochBegan ? ["2"] : Array.Empty<string>()],
            _archive.Of(Stream).Values.Select(IdOf));
    }

    private HealingPublisher NewPublisher() => new(_redis.ConnectionString, _archive);

    private async Task WipeAsync() => await _publisher.Database.ExecuteAsync("FLUSHALL");

    private async Task DrainAsync()
    {
        await _archive.ReadAsync(_publisher, Partition);
        _archive.Commit(Partition);
        await _archive.TellAsync(_publisher, Partition);
        await _archive.ReadAsync(_publisher, Partition);
        _archive.Commit(Partition);
        await _archive.TellAsync(_publisher, Partition);
    }
}
