using System.Text;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using StackExchange.Redis;
using static AspireStreaming.Streaming.Tests.Redis.LogClient;

namespace AspireStreaming.Streaming.Tests.Redis;

public sealed class AppendTests(RedisFixture redis) : IDisposable
{
    private readonly LogClient _client = new(redis.Process.ConnectionString);
    private readonly string _stream = $"append-{Guid.NewGuid():N}";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task AppendAsync_batch_gets_dense_positions_in_order()
    {
        var first = await _client.AppendAsync(_stream, Event("1"), Event("2"));
        var second = await _client.AppendAsync(_stream, Event("3"));

        Assert.Equal(1, first.First.Sequence);
        Assert.Equal(first.First.Next, first.Last);
        Assert.Equal(first.Last.Next, second.First);
        Assert.Equal((2, 0), (first.Accepted, first.Duplicates));
        var read = await _client.ReadAllAsync(_stream);
        Assert.Equal(["1", "2", "3"], read.Select(IdOf));
        Assert.Equal([first.First, first.Last, second.Last], read.Select(stored => stored.Position));
        Assert.True(read[0].RecordedAt > 0 && read[0].RecordedAt <= read[2].RecordedAt);
    }

    [Fact]
    public async Task AppendAsync_known_ids_count_as_duplicates_at_their_positions()
    {
        var first = await _client.AppendAsync(_stream, Event("a"), Event("b"));

        var again = await _client.AppendAsync(_stream, Event("a"), Event("c"), Event("b"));
        Assert.Equal((1, 2), (again.Accepted, again.Duplicates));
        Assert.Equal(first.First, again.First);
        Assert.Equal(first.Last, again.Last);
        Assert.Equal(["a", "b", "c"], (await _client.ReadAllAsync(_stream)).Select(IdOf));

        var all = await _client.AppendAsync(_stream, Event("b"), Event("a"));
        Assert.Equal((0, 2), (all.Accepted, all.Duplicates));
        Assert.Equal(first.Last, all.First);
    }

    [Fact]
    public async Task AppendAsync_ids_are_forgotten_after_the_window()
    {
        using var client = new LogClient(redis.Process.ConnectionString, new HotLogOptions { IdempotencyWindow = TimeSpan.FromSeconds(8) });
        var first = await client.AppendAsync(_stream, Event("x"));
        var again = await client.AppendAsync(_stream, Event("x"));
        Assert.Equal((0, 1), (again.Accepted, again.Duplicates));
        Assert.Equal(first.First, again.First);

        // Others are remembered meanwhile, in both halves, and a repeat does not make it young again.
        var others = 0;
        AppendResult answer = again;
        await Eventually.TrueAsync(
            async () =>
            {
                await client.AppendAsync(_stream, Event($"other-{others++}"));
                answer = await client.AppendAsync(_stream, Event("x"));
                return answer.Accepted == 1;
            },
            TimeSpan.FromSeconds(30), "the id is forgotten", Cancelled);

        Assert.Equal(2 + others, answer.First.Sequence);
    }

    [Fact]
    public async Task AppendAsync_ids_beyond_the_cap_are_not_remembered_and_counted()
    {
        using var client = new LogClient(redis.Process.ConnectionString, new HotLogOptions { MaxIdsPerStream = 3 });
        await client.AppendAsync(_stream, Event("1"), Event("2"), Event("3"), Event("4"), Event("5"));

        var again = await client.AppendAsync(_stream, Event("1"), Event("2"), Event("3"));
        var beyond = await client.AppendAsync(_stream, Event("4"), Event("5"));

        Assert.Equal((0, 3), (again.Accepted, again.Duplicates));
        Assert.Equal((2, 0), (beyond.Accepted, beyond.Duplicates));
        Assert.Equal(4, (int)await client.Database.HashGetAsync(StreamKeys.Meta(_stream), "idrop"));
    }

    [Fact]
    public async Task AppendAsync_twins_in_one_batch_are_appended_once()
    {
        var result = await _client.AppendAsync(_stream, Event("x"), Event("x"), Event("y"));

        Assert.Equal((2, 1), (result.Accepted, result.Duplicates));
        Assert.Equal(["x", "y"], (await _client.ReadAllAsync(_stream)).Select(IdOf));
    }

    [Fact]
    public async Task AppendAsync_same_id_of_another_source_is_another_event()
    {
        var other = Event("a") with { Source = "/other" };
        var result = await _client.AppendAsync(_stream, Event("a"), other);
        Assert.Equal((2, 0), (result.Accepted, result.Duplicates));
    }

    private static (StreamPosition First, StreamPosition Last, int Accepted, int Duplicates) Answer(AppendResult result) =>
        (result.First, result.Last, result.Accepted, result.Duplicates);

    [Fact]
    public async Task AppendAsync_same_request_again_counts_as_accepted()
    {
        var request = Request(_stream, Event("a"), Event("b"));
        var first = await _client.Log.AppendAsync(request, Cancelled);
        var retry = await _client.Log.AppendAsync(request, Cancelled);
        Assert.Equal(Answer(first), Answer(retry));
        Assert.Equal(2, (await _client.ReadAllAsync(_stream)).Length);
    }

    [Fact]
    public async Task AppendAsync_same_request_with_generated_ids_again_counts_as_accepted()
    {
        var request = Generated(_stream, 250);
        var first = await _client.Log.AppendAsync(request, Cancelled);
        await _client.AppendAsync(_stream, Event("between"));
        var retry = await _client.Log.AppendAsync(request, Cancelled);
        Assert.Equal(Answer(first), Answer(retry));
        Assert.Equal(251, (await _client.ReadAllAsync(_stream)).Length);
    }

    [Fact]
    public async Task AppendAsync_generated_ids_sent_again_by_the_client_are_duplicates()
    {
        var request = Generated(_stream, 3);
        var first = await _client.Log.AppendAsync(request, Cancelled);

        var again = await _client.AppendAsync(_stream, [.. request.Events.Select(item => item with { IdGenerated = false })]);

        Assert.Equal((0, 3), (again.Accepted, again.Duplicates));
        Assert.Equal((first.First, first.Last), (again.First, again.Last));
    }

    /// <summary>The first try's bytes may wait in a broken connection while the client sends the events again with the ids it was told.</summary>
    [Fact]
    public async Task AppendAsync_first_try_that_was_overtaken_adds_nothing()
    {
        var request = Generated(_stream, 3);
        var sentAgain = await _client.AppendAsync(_stream, [.. request.Events.Select(item => item with { IdGenerated = false })]);

        var late = await _client.Log.AppendAsync(request, Cancelled);

        Assert.Equal((3, 0), (sentAgain.Accepted, sentAgain.Duplicates));
        Assert.Equal((0, 3), (late.Accepted, late.Duplicates));
        Assert.Equal(3, (await _client.ReadAllAsync(_stream)).Length);
    }

    [Fact]
    public async Task AppendAsync_after_the_end_is_refused_but_known_ids_are_not()
    {
        await _client.AppendAsync(_stream, Event("a"), Event("end", "WORKFLOW_FAILED", EventFlags.Terminal));

        var refused = await _client.AppendAsync(_stream, Event("b"));
        var known = await _client.AppendAsync(_stream, Event("a"));
        var mixed = await _client.AppendAsync(_stream, Event("a"), Event("b"));

        Assert.Equal((AppendStatus.Ended, "failed"), (refused.Status, refused.EndState));
        Assert.Equal(2, refused.Current.Sequence);
        Assert.Equal((AppendStatus.Appended, 1), (known.Status, known.Duplicates));
        Assert.Equal(AppendStatus.Ended, mixed.Status);
        var meta = await _client.Reader.ReadMetaAsync(_stream, Cancelled);
        Assert.Equal(("failed", "WORKFLOW_FAILED"), (meta!.State, meta.EndType));
    }

    [Fact]
    public async Task AppendAsync_expected_position_must_match()
    {
        var fresh = await _client.Log.AppendAsync(new AppendRequest { Stream = _stream, Events = [Event("1")], Expected = StreamPosition.Zero }, Cancelled);
        var stale = await _client.Log.AppendAsync(new AppendRequest { Stream = _stream, Events = [Event("2")], Expected = StreamPosition.Zero }, Cancelled);
        var next = await _client.Log.AppendAsync(new AppendRequest { Stream = _stream, Events = [Event("2")], Expected = fresh.Last }, Cancelled);
        var known = await _client.Log.AppendAsync(new AppendRequest { Stream = _stream, Events = [Event("1")], Expected = StreamPosition.Zero }, Cancelled);

        Assert.Equal((AppendStatus.PositionMismatch, fresh.Last), (stale.Status, stale.Current));
        Assert.Equal((AppendStatus.Appended, fresh.Last.Next), (next.Status, next.Last));
        Assert.Equal((AppendStatus.Appended, 1), (known.Status, known.Duplicates));
    }

    [Fact]
    public async Task AppendAsync_full_backlog_refuses_the_whole_batch()
    {
        using var small = new LogClient(redis.Process.ConnectionString, new HotLogOptions { MaxArchiveBacklogBytes = 1 });
        await _client.AppendAsync(_stream, Event("1"));

        var refused = await small.AppendAsync(_stream, Event("2"));

        Assert.Equal(AppendStatus.BacklogFull, refused.Status);
        Assert.Single(await _client.ReadAllAsync(_stream));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(20)]
    public async Task AppendAsync_wakes_readers_with_the_events(int count)
    {
        var received = new TaskCompletionSource<WakeMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _client.Subscriber.SubscribeAsync(
            new RedisChannel(StreamKeys.WakeChannel(_stream), RedisChannel.PatternMode.Literal),
            (_, message) => received.TrySetResult(WakeMessage.Parse((byte[])message!)));

        var ids = Enumerable.Range(1, count).Select(number => $"{number}").ToArray();
        var appended = await _client.AppendAsync(_stream, [.. ids.Select(id => Event(id))]);

        var wake = await received.Task.WaitAsync(TimeSpan.FromSeconds(5), Cancelled);
        Assert.Equal(WakeKind.Appended, wake.Kind);
        var events = wake.Batch.ReadEvents();
        Assert.Equal(ids, events.Select(IdOf));
        Assert.Equal([appended.First, appended.Last], [events[0].Position, events[^1].Position]);
        Assert.Equal((await _client.ReadAllAsync(_stream))[0].RecordedAt, events[0].RecordedAt);
    }

    [Fact]
    public async Task AppendAsync_large_events_wake_by_position_and_are_cut_for_the_archive()
    {
        var received = new TaskCompletionSource<WakeMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _client.Subscriber.SubscribeAsync(
            new RedisChannel(StreamKeys.WakeChannel(_stream), RedisChannel.PatternMode.Literal),
            (_, message) => received.TrySetResult(WakeMessage.Parse((byte[])message!)));
        var large = Enumerable.Range(0, 5).Select(number => Event($"{number}") with
        {
            Frame = EventFrame.Encode("T", EventFlags.None, Encoding.UTF8.GetBytes($"\"specversion\":\"1.0\",\"id\":\"{number}\",\"x\":\"{new string('x', 30_000)}\"}}")),
        }).ToArray();

        var appended = await _client.AppendAsync(_stream, large);

        var wake = await received.Task.WaitAsync(TimeSpan.FromSeconds(5), Cancelled);
        Assert.Equal((WakeKind.AppendedToLog, appended.Last), (wake.Kind, wake.Batch.Last));
        var entries = (await _client.Reader.ReadArchiveLogAsync(StreamName.PartitionOf(_stream), StreamPosition.Zero, 100_000, Cancelled))
            .Where(entry => entry.Stream == _stream).ToArray();
        Assert.Equal([2, 2, 1], entries.Select(entry => entry.Batch.Count));
        Assert.Equal(["0", "1", "2", "3", "4"], entries.SelectMany(entry => entry.Batch.ReadEvents()).Select(IdOf));
    }

    [Fact]
    public async Task DeleteAsync_then_append_starts_anew_in_a_later_epoch()
    {
        var before = await _client.AppendAsync(_stream, Event("1"), Event("2"));

        Assert.True(await _client.Log.DeleteAsync(_stream, fromArchive: false, Cancelled));
        Assert.False(await _client.Log.DeleteAsync(_stream, fromArchive: false, Cancelled));
        Assert.Empty(await _client.ReadAllAsync(_stream));
        var after = await _client.Log.AppendAsync(new AppendRequest { Stream = _stream, Events = [Event("1")], Expected = StreamPosition.Zero }, Cancelled);

        Assert.Equal(AppendStatus.Appended, after.Status);
        Assert.Equal((1, 1, 0), (after.First.Sequence, after.Accepted, after.Duplicates));
        Assert.True(after.First.Epoch > before.Last.Epoch);
        var log = await _client.Reader.ReadArchiveLogAsync(StreamName.PartitionOf(_stream), StreamPosition.Zero, 100_000, Cancelled);
        Assert.Equal(
            [ArchiveLogKind.Append, ArchiveLogKind.Delete, ArchiveLogKind.Append],
            log.Where(entry => entry.Stream == _stream).Select(entry => entry.Kind));
    }

    [Fact]
    public async Task DeleteAsync_unknown_stream_says_so() =>
        Assert.False(await _client.Log.DeleteAsync(_stream, fromArchive: false, Cancelled));

    [Fact]
    public async Task AfterCommitAsync_trims_sets_expiry_and_an_append_lifts_it()
    {
        using var client = new LogClient(redis.Process.ConnectionString, new HotLogOptions { MaxEventsPerStream = 100 });
        for (var number = 0; number < 3; number++)
        {
            await client.Log.AppendAsync(Generated(_stream, 100), Cancelled);
        }

        var partition = StreamName.PartitionOf(_stream);
        var log = await client.Reader.ReadArchiveLogAsync(partition, StreamPosition.Zero, 100_000, Cancelled);
        var last = (await client.Reader.ReadMetaAsync(_stream, Cancelled))!.Last;
        var archived = last with { Sequence = 150 };
        await client.Trimmer.AfterCommitAsync(partition, log[0].Id, 0, [KeyValuePair.Create(_stream, archived)], Cancelled);

        Assert.Equal(150, await client.Reader.CountAsync(_stream, Cancelled));
        Assert.Equal(151, (await client.ReadAllAsync(_stream))[0].Position.Sequence);
        Assert.Null(await client.Database.KeyTimeToLiveAsync(StreamKeys.Stream(_stream)));

        await client.Trimmer.AfterCommitAsync(partition, log[^1].Id, 1L << 40, [KeyValuePair.Create(_stream, last)], Cancelled);

        Assert.Equal(100, await client.Reader.CountAsync(_stream, Cancelled));
        Assert.Equal(last, (await client.Reader.ReadMetaAsync(_stream, Cancelled))!.Archived);
        Assert.NotNull(await client.Database.KeyTimeToLiveAsync(StreamKeys.Stream(_stream)));
        Assert.Empty(await client.Reader.ReadArchiveLogAsync(partition, StreamPosition.Zero, 10, Cancelled));
        Assert.Equal(log[^1].Id, await client.Reader.ReadArchiveLogEndAsync(partition, Cancelled));
        Assert.Equal(0, (long)await client.Database.StringGetAsync(StreamKeys.ArchiveBytes(partition)));

        await client.AppendAsync(_stream, Event("after"));
        Assert.Null(await client.Database.KeyTimeToLiveAsync(StreamKeys.Stream(_stream)));
        Assert.Null(await client.Database.KeyTimeToLiveAsync(StreamKeys.Meta(_stream)));
    }

    [Fact]
    public async Task AppendAsync_archive_ahead_of_redis_continues_after_it()
    {
        var known = new ArchiveKnowledge(new StreamPosition(1_700_000_000_000, 41), null, null, [KeyValuePair.Create(0, new StreamPosition(1_700_000_000_000, 40))]);
        using var client = new LogClient(redis.Process.ConnectionString, archive: new FixedArchive(known));

        var result = await client.AppendAsync(_stream, Event("old"), Event("new"));

        Assert.Equal((1, 1), (result.Accepted, result.Duplicates));
        Assert.Equal(known.Known[0].Value, result.First);
        Assert.Equal(42, result.Last.Sequence);
        Assert.True(result.Last.Epoch > known.Last.Epoch);
        Assert.Equal(known.Last, Assert.Single(await client.ReadAllAsync(_stream)).Previous);
    }

    [Fact]
    public async Task AppendAsync_stream_ended_in_the_archive_stays_ended()
    {
        var known = new ArchiveKnowledge(new StreamPosition(1_700_000_000_000, 41), "completed", "WORKFLOW_COMPLETED", []);
        using var client = new LogClient(redis.Process.ConnectionString, archive: new FixedArchive(known));

        var result = await client.AppendAsync(_stream, Event("new"));

        Assert.Equal((AppendStatus.Ended, "completed", known.Last), (result.Status, result.EndState, result.Current));
    }

    [Fact]
    public async Task AppendAsync_archive_away_goes_on_and_says_partial()
    {
        using var client = new LogClient(redis.Process.ConnectionString, archive: new FixedArchive(null));
        var result = await client.AppendAsync(_stream, Event("new"));
        Assert.Equal((AppendStatus.Appended, true), (result.Status, result.IdempotencyPartial));
        Assert.False((await client.AppendAsync(_stream, Event("next"))).IdempotencyPartial);
    }

    [Fact]
    public async Task AppendAsync_two_processes_interleave_without_loss()
    {
        using var other = new LogClient(redis.Process.ConnectionString);
        await Task.WhenAll(Enumerable.Range(0, 400).Select(number =>
            (number % 2 == 0 ? _client : other).AppendAsync(_stream, Event($"{number}"))));

        var read = await _client.ReadAllAsync(_stream);
        Assert.Equal(Enumerable.Range(1, 400).Select(number => (long)number), read.Select(stored => stored.Position.Sequence));
        Assert.Equal(400, read.Select(IdOf).Distinct().Count());
        Assert.Single(read.Select(stored => stored.Position.Epoch).Distinct());
    }

    private sealed class FixedArchive(ArchiveKnowledge? knowledge) : IArchiveLookup
    {
        public Task<ArchiveKnowledge> LookUpAsync(string stream, IReadOnlyList<AppendEvent> events, CancellationToken cancellationToken) =>
            knowledge is null ? throw new TimeoutException("away") : Task.FromResult(knowledge);
    }

    [Fact]
    public async Task AppendAsync_at_once_of_many_requests_to_a_stream_keeps_each_whole_and_answers_each_its_own()
    {
        var requests = Enumerable.Range(0, 300)
            .Select(number => number % 3 == 0
                ? Generated(_stream, 1 + (number % 7))
                : Request(_stream, Event($"{number}-a"), Event($"{number}-b")))
            .ToArray();

        var results = await Task.WhenAll(requests.Select(request => _client.Log.AppendAsync(request, Cancelled)));

        var stored = (await _client.ReadAllAsync(_stream)).ToDictionary(item => item.Position, IdOf);
        Assert.Equal(requests.Sum(request => request.Events.Count), stored.Count);
        for (var index = 0; index < requests.Length; index++)
        {
            var first = results[index].First;
            Assert.Equal(requests[index].Events.Count, results[index].Accepted);
            Assert.Equal(
                requests[index].Events.Select(item => item.Id),
                Enumerable.Range(0, requests[index].Events.Count).Select(offset => stored[first with { Sequence = first.Sequence + offset }]));
        }
    }

    [Fact]
    public async Task AppendAsync_at_once_of_many_requests_of_a_partition_over_a_changed_epoch_appends_each_once()
    {
        await _client.AppendAsync(_stream, Event("before"));
        await _client.Database.KeyDeleteAsync(StreamKeys.Process(StreamName.PartitionOf(_stream)));
        await _client.Database.ExecuteAsync("SCRIPT", "FLUSH");

        var results = await Task.WhenAll(Enumerable.Range(0, 200).Select(number => _client.AppendAsync(_stream, Event($"{number}"))));

        Assert.All(results, result => Assert.Equal((1, 0), (result.Accepted, result.Duplicates)));
        Assert.Equal(201, (await _client.ReadAllAsync(_stream)).Length);
        Assert.Equal(200, results.Select(result => result.First).Distinct().Count());
    }

    [Fact]
    public async Task AppendAsync_of_known_and_new_events_tells_where_each_stands()
    {
        await _client.AppendAsync(_stream, Event("x"), Event("y"));

        var result = await _client.AppendAsync(_stream, Event("y"), Event("z"));

        Assert.Equal([2L, 3L], result.Positions!.Select(position => position.Sequence));
        Assert.True(result.RecordedAt > 0);
    }

    /// <summary>Each of these changes a stream that had nothing unusual about it; the short way through the script must not be taken.</summary>
    [Fact]
    public async Task AppendAsync_of_one_event_minds_the_end_the_deletion_and_the_repeat()
    {
        await _client.Log.AppendAsync(Generated(_stream, 1), Cancelled);
        var overtaken = Generated(_stream, 1);
        await _client.AppendAsync(_stream, [.. overtaken.Events.Select(item => item with { IdGenerated = false })]);
        var late = await _client.Log.AppendAsync(overtaken, Cancelled);
        Assert.Equal((0, 1), (late.Accepted, late.Duplicates));

        Assert.True(await _client.Log.DeleteAsync(_stream, false, Cancelled));
        var anew = await _client.Log.AppendAsync(Generated(_stream, 1), Cancelled);
        Assert.Equal(1, anew.First.Sequence);
        Assert.True(anew.First.Epoch > late.First.Epoch);

        await _client.AppendAsync(_stream, Event("end", "STREAM_END", EventFlags.Terminal));
        Assert.Equal(AppendStatus.Ended, (await _client.Log.AppendAsync(Generated(_stream, 1), Cancelled)).Status);
    }
}
