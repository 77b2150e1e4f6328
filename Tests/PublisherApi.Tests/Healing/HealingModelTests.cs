using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using FsCheck;
using FsCheck.Fluent;
using static AspireStreaming.PublisherApi.Tests.Healing.HealingPublisher;

namespace AspireStreaming.PublisherApi.Tests.Healing;

/// <summary>
/// Random interleavings of publishers, archivers and everything that makes Redis forget, against the memory of all that was
/// acknowledged. The same interleavings every time; PROPERTY_SEED=random looks for new ones.
/// </summary>
public sealed class HealingModelTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("healing-model-").FullName;
    private RedisProcess _redis = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _redis = await RedisProcess.StartAsync(
        dataFolder: _folder, arguments: ["--appendonly", "no", "--save", "", "--enable-debug-command", "yes"], cancellationToken: Cancelled);

    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Nothing_acknowledged_is_missing_whatever_redis_forgets()
    {
        var operation = Gen.Frequency(
            (30, from publisher in Gen.Choose(0, 2)
                 from stream in Gen.Choose(0, 1)
                 from count in Gen.Choose(1, 4)
                 from terminal in Gen.Frequency((25, Gen.Constant(false)), (1, Gen.Constant(true)))
                 from generated in Gen.Frequency((2, Gen.Constant(false)), (1, Gen.Constant(true)))
                 select (Operation)new Append(publisher, stream, count, terminal, generated)),
            (5, from publisher in Gen.Choose(0, 2) from other in Gen.Choose(0, 2) select (Operation)new Again(publisher, other)),
            (1, Gen.Choose(0, 1).Select(stream => (Operation)new Delete(stream))),
            (5, Gen.Constant((Operation)new ArchiverReads())),
            (5, Gen.Constant((Operation)new ArchiverCommits())),
            (5, Gen.Constant((Operation)new ArchiverTells())),
            (1, Gen.Constant((Operation)new ArchiverDies())),
            (2, Gen.Elements(true, false).Select(away => (Operation)new ArchiveAway(away))),
            (6, Gen.Choose(0, 2).Select(publisher => (Operation)new Settle(publisher))),
            (2, Gen.Choose(0, 2).Select(publisher => (Operation)new Leave(publisher))),
            (4, Gen.Constant((Operation)new Snapshot())),
            (3, Gen.Constant((Operation)new LoseTail())),
            (3, Gen.Constant((Operation)new Wipe())),
            (1, Gen.Constant((Operation)new FlushScripts())),
            (1, Gen.Constant((Operation)new Crash())));
        var run = Prop.ForAll(Arb.From(Gen.ArrayOf(operation), Shrink), CheckAsync);

        var config = Config.QuickThrowOnFailure.WithMaxTest(20).WithStartSize(15).WithEndSize(60);
        Check.One(Environment.GetEnvironmentVariable("PROPERTY_SEED") == "random" ? config : config.WithReplay(20261120UL, 1763655000001UL), run);
    }

    private static IEnumerable<Operation[]> Shrink(Operation[] operations)
    {
        for (var length = operations.Length / 2; length > 0; length /= 2)
        {
            for (var start = 0; start + length <= operations.Length; start += length)
            {
                yield return [.. operations[..start], .. operations[(start + length)..]];
            }
        }
    }

    private async Task<bool> CheckAsync(Operation[] operations)
    {
        using var world = await World.CreateAsync(_redis);
        foreach (var operation in operations)
        {
            await world.RunAsync(operation);
            await world.AssertSoundAsync();
        }

        await world.AssertNothingMissingAsync();
        return true;
    }

    private abstract record Operation;

    private sealed record Append(int Publisher, int Stream, int Count, bool Terminal, bool Generated) : Operation;

    /// <summary>A client that sends what it had acknowledged again, to whichever publisher.</summary>
    private sealed record Again(int Publisher, int Other) : Operation;

    private sealed record Delete(int Stream) : Operation;

    private sealed record ArchiverReads : Operation;

    private sealed record ArchiverCommits : Operation;

    private sealed record ArchiverTells : Operation;

    private sealed record ArchiverDies : Operation;

    private sealed record ArchiveAway(bool Away) : Operation;

    /// <summary>The publisher's check, or its return after a time in which it saw nothing.</summary>
    private sealed record Settle(int Publisher) : Operation;

    /// <summary>The publisher is cut off: it takes no part in anything until it settles.</summary>
    private sealed record Leave(int Publisher) : Operation;

    private sealed record Snapshot : Operation;

    /// <summary>Demoted, synchronised from a successor with the last snapshot's data, promoted again.</summary>
    private sealed record LoseTail : Operation;

    private sealed record Wipe : Operation;

    private sealed record FlushScripts : Operation;

    /// <summary>Killed, and back with the last snapshot's data.</summary>
    private sealed record Crash : Operation;

    private sealed class World : IDisposable
    {
        private readonly RedisProcess _redis;
        private readonly ModelArchive _archive = new();
        private readonly HealingPublisher[] _publishers;
        private readonly bool[] _away = new bool[3];
        private readonly AppendRequest?[] _last = new AppendRequest?[3];
        private readonly string[] _streams = [$"healing-{Guid.NewGuid():N}", $"healing-{Guid.NewGuid():N}"];
        private readonly Dictionary<string, Dictionary<StreamPosition, string>> _given = [];
        private readonly Dictionary<string, HashSet<string>> _acknowledged = [];
        private readonly HashSet<string> _sentAgain = [];
        private int _ids;

        private World(RedisProcess redis)
        {
            _redis = redis;
            _publishers = [.. Enumerable.Range(0, 3).Select(_ => new HealingPublisher(redis.ConnectionString, _archive, TimeSpan.FromMilliseconds(15)))];
            foreach (var stream in _streams)
            {
                _given[stream] = [];
                _acknowledged[stream] = [];
            }
        }

        private IEnumerable<int> Partitions => _streams.Select(stream => StreamName.PartitionOf(stream)).Distinct();

        private HealingPublisher Any => _publishers[0];

        public static async Task<World> CreateAsync(RedisProcess redis)
        {
            var world = new World(redis);
            await world.Any.Database.ExecuteAsync("FLUSHALL");
            await world.Any.Database.ExecuteAsync("SCRIPT", "FLUSH");
            await world.Any.Database.ExecuteAsync("SAVE");
            return world;
        }

        public void Dispose()
        {
            foreach (var publisher in _publishers)
            {
                publisher.Dispose();
            }
        }

        public async Task RunAsync(Operation operation)
        {
            switch (operation)
            {
                case Append append when !_away[append.Publisher]:
                    await AppendAsync(append);
                    break;
                case Again again when !_away[again.Publisher] && _last[again.Other] is { } request:
                    await SendAsync(again.Publisher, request, isAgain: true);
                    break;
                case Delete { Stream: var index } when _publishers.Zip(_away).FirstOrDefault(pair => !pair.Second).First is { } publisher:
                    if (await publisher.DeleteAsync(_streams[index]))
                    {
                        _acknowledged[_streams[index]].Clear();
                    }

                    break;
                case ArchiverReads:
                    await Task.WhenAll(Partitions.Select(partition => _archive.ReadAsync(Any, partition)));
                    break;
                case ArchiverCommits when !_archive.IsAway:
                    Partitions.ToList().ForEach(_archive.Commit);
                    break;
                case ArchiverTells:
                    await Task.WhenAll(Partitions.Select(partition => _archive.TellAsync(Any, partition)));
                    break;
                case ArchiverDies:
                    _archive.Kill();
                    break;
                case ArchiveAway { Away: var away }:
                    _archive.IsAway = away;
                    break;
                case Settle { Publisher: var publisher }:
                    _away[publisher] = false;
                    await SettleAsync(publisher);
                    break;
                case Leave { Publisher: var publisher }:
                    _away[publisher] = true;
                    break;
                case Snapshot:
                    await Any.Database.ExecuteAsync("SAVE");
                    break;
                case LoseTail:
                    await Any.LoseTailAsync();
                    await CheckAllAsync();
                    break;
                case Wipe:
                    await Any.Database.ExecuteAsync("FLUSHALL");
                    break;
                case FlushScripts:
                    await Any.Database.ExecuteAsync("SCRIPT", "FLUSH");
                    break;
                case Crash:
                    _redis.Kill();
                    await _redis.StartAsync(Cancelled);
                    foreach (var publisher in _publishers)
                    {
                        await Eventually.TrueAsync(publisher.AnswersAsync, TimeSpan.FromSeconds(20), "connections come back", Cancelled);
                    }

                    await CheckAllAsync();
                    break;
                default:
                    break;
            }
        }

        /// <summary>What Redis and the archive hold agrees with all positions that were ever given; holes are of lost events only.</summary>
        public async Task AssertSoundAsync()
        {
            foreach (var stream in _streams)
            {
                StoredEvent? before = null;
                foreach (var stored in await Any.ReadAllAsync(stream))
                {
                    var id = IdOf(stored);
                    Assert.True(
                        !_given[stream].TryGetValue(stored.Position, out var known) || known == id, $"{stored.Position} was {known} and is {id}");
                    _given[stream].TryAdd(stored.Position, id);
                    if (before is { } previous)
                    {
                        if (previous.Position.Epoch == stored.Position.Epoch)
                        {
                            for (var missing = previous.Position.Next; missing < stored.Position; missing = missing.Next)
                            {
                                Assert.True(_given[stream].ContainsKey(missing), $"{missing} was never given, between {previous.Position} and {stored.Position}");
                            }
                        }
                        else
                        {
                            Assert.True(
                                stored.Previous is null || stored.Previous >= previous.Position,
                                $"{stored.Position} claims to follow {stored.Previous}, but {previous.Position} is there");
                        }

                        Assert.True(stored.RecordedAt >= previous.RecordedAt, "recorded times fall");
                    }

                    before = stored;
                }
            }
        }

        /// <summary>Everybody comes back, archivers catch up: all that was acknowledged is archived, each event once.</summary>
        public async Task AssertNothingMissingAsync()
        {
            _archive.IsAway = false;
            for (var round = 0; round < 2; round++)
            {
                for (var publisher = 0; publisher < 3; publisher++)
                {
                    await SettleAsync(publisher);
                }

                Partitions.ToList().ForEach(_archive.Commit);
                for (var turn = 0; turn < 2; turn++)
                {
                    await Task.WhenAll(Partitions.Select(partition => _archive.TellAsync(Any, partition)));
                    await Task.WhenAll(Partitions.Select(partition => _archive.ReadAsync(Any, partition)));
                    Partitions.ToList().ForEach(_archive.Commit);
                    await Task.WhenAll(Partitions.Select(partition => _archive.TellAsync(Any, partition)));
                }
            }

            await AssertSoundAsync();
            foreach (var stream in _streams)
            {
                var archived = _archive.Of(stream);
                var ids = archived.Values.Select(IdOf).ToList();
                Assert.Empty(_acknowledged[stream].Except(ids));
                Assert.Empty(ids.GroupBy(id => id).Where(group => group.Count() > 1 && !_sentAgain.Contains(group.Key)).Select(group => group.Key));
                foreach (var (position, stored) in archived)
                {
                    Assert.True(!_given[stream].TryGetValue(position, out var known) || known == IdOf(stored));
                }
            }

            for (var publisher = 0; publisher < 3; publisher++)
            {
                await SettleAsync(publisher);
                Assert.Equal(0, _publishers[publisher].Acknowledged.Events);
            }
        }

        private Task SettleAsync(int publisher) => Task.WhenAll(_streams.Select(_publishers[publisher].SettleAsync));

        /// <summary>Clients that were disconnected check before they append; together, so that they share a healing phase.</summary>
        private Task CheckAllAsync() => Task.WhenAll(Enumerable.Range(0, 3).Where(publisher => !_away[publisher]).Select(SettleAsync));

        private async Task AppendAsync(Append append)
        {
            var attempt = GeneratedId.NewAttempt();
            var events = Enumerable.Range(0, append.Count).Select(index => Event(
                append.Generated ? GeneratedId.For(attempt, index) : $"e{_ids++}",
                append.Generated,
                append.Terminal && index == append.Count - 1 ? "STREAM_END" : "T")).ToArray();
            var request = new AppendRequest { Stream = _streams[append.Stream], Attempt = attempt, Events = events };
            if (await SendAsync(append.Publisher, request, isAgain: false))
            {
                _last[append.Publisher] = append.Generated ? _last[append.Publisher] : request;
            }
        }

        private async Task<bool> SendAsync(int publisher, AppendRequest request, bool isAgain)
        {
            var result = await _publishers[publisher].AppendAsync(isAgain ? Request(request.Stream, [.. request.Events]) : request);
            if (result.Status != AppendStatus.Appended)
            {
                return false;
            }

            var given = _given[request.Stream];
            for (var index = 0; index < request.Events.Count; index++)
            {
                var position = result.Positions?[index] ?? result.First with { Sequence = result.First.Sequence + index };
                var id = request.Events[index].Id;
                Assert.True(!given.TryGetValue(position, out var known) || known == id, $"{position} was given to {known} and to {id}");
                given[position] = id;
                _acknowledged[request.Stream].Add(id);
                if (isAgain)
                {
                    _sentAgain.Add(id);
                }
            }

            return true;
        }
    }
}
