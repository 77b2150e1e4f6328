using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using FsCheck;
using FsCheck.Fluent;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Tests.Redis;

/// <summary>
/// Random interleavings of several publishers with everything that Redis can do to them, against a model that remembers all that was
/// ever acknowledged. The same interleavings every time, so that a failure is the change's own; PROPERTY_SEED=random looks for new ones.
/// FsCheck prints the seed of a failure and shrinks it.
/// </summary>
public sealed class AppendModelTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("append-model-").FullName;
    private RedisProcess _redis = null!;
    private int _appends;
    private int _shared;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _redis = await RedisProcess.StartAsync(
        dataFolder: _folder, arguments: ["--appendonly", "no", "--save", "", "--enable-debug-command", "yes"], cancellationToken: Cancelled);

    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Any_interleaving_keeps_positions_unique_dense_ordered_and_ids_idempotent()
    {
        var operation = Gen.Frequency(
            (30, AppendGenerator()),
            (6, Gen.Choose(0, 2).Select(publisher => (Operation)new Retry(publisher))),
            (4, Gen.Choose(0, 1).Select(stream => (Operation)new Delete(stream))),
            (5, Gen.Constant((Operation)new Drain())),
            (3, Gen.Choose(0, 1).Select(stream => (Operation)new Expire(stream))),
            (3, Gen.Constant((Operation)new FlushScripts())),
            (2, Gen.Constant((Operation)new FlushAll())),
            (4, Gen.Constant((Operation)new Snapshot())),
            (3, Gen.Constant((Operation)new Reload())),
            (2, Gen.Constant((Operation)new RaiseByAnother())),
            (1, Gen.Constant((Operation)new Crash())));
        var run = Prop.ForAll(Arb.From(Gen.ArrayOf(operation), Shrink), CheckAsync);

        var config = Config.QuickThrowOnFailure.WithMaxTest(25).WithStartSize(10).WithEndSize(50);
        Check.One(Environment.GetEnvironmentVariable("PROPERTY_SEED") == "random" ? config : config.WithReplay(20261120UL, 1763655000001UL), run);

        // Else these interleavings would say nothing of it.
        Assert.True(_shared > 50, $"{_shared} of {_appends} appends went by the shared script");
    }

    private static Gen<Operation> AppendGenerator() =>
        from publisher in Gen.Choose(0, 2)
        from stream in Gen.Choose(0, 1)
        from ids in Gen.Choose(0, 11).NonEmptyListOf()
        from terminal in Gen.Frequency((12, Gen.Constant(false)), (1, Gen.Constant(true)))
        from expected in Gen.Frequency((6, Gen.Constant(Expectation.None)), (1, Gen.Constant(Expectation.Current)), (1, Gen.Constant(Expectation.Wrong)))
        from generated in Gen.Frequency((4, Gen.Constant(false)), (1, Gen.Constant(true)))
        select (Operation)new Append(publisher, stream, [.. ids.Take(6)], terminal, expected, generated);

    /// <summary>Halves and single steps left out: enough to read a failure.</summary>
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
        await using var world = await World.CreateAsync(_redis);
        foreach (var operation in operations)
        {
            await world.RunAsync(operation);
            await world.AssertInvariantsAsync();
        }

        _appends += world.Appends;
        _shared += world.Shared;
        return true;
    }

    private abstract record Operation;

    private sealed record Append(int Publisher, int Stream, int[] Ids, bool Terminal, Expectation Expected, bool Generated) : Operation
    {
        public override string ToString() => $"Append(p{Publisher} s{Stream} [{string.Join(',', Ids)}]{(Terminal ? " end" : "")} {Expected}{(Generated ? " generated" : "")})";
    }

    /// <summary>The publisher's last request again, as after a lost answer.</summary>
    private sealed record Retry(int Publisher) : Operation;

    private sealed record Delete(int Stream) : Operation;

    /// <summary>The archiver catches up.</summary>
    private sealed record Drain : Operation;

    /// <summary>The archiver has caught up and the stream's time in Redis is over, meta and ids included.</summary>
    private sealed record Expire(int Stream) : Operation;

    private sealed record FlushScripts : Operation;

    /// <summary>Data gone, scripts kept.</summary>
    private sealed record FlushAll : Operation;

    /// <summary>What <see cref="Reload"/> and <see cref="Crash"/> go back to.</summary>
    private sealed record Snapshot : Operation;

    /// <summary>
    /// The last snapshot's data with today's scripts: a process that was demoted, synchronised from a successor without its tail and
    /// promoted again. Publishers were disconnected by that, and ask before they append.
    /// </summary>
    private sealed record Reload : Operation;

    /// <summary>Another process raised every partition's epoch.</summary>
    private sealed record RaiseByAnother : Operation;

    /// <summary>Killed, and back with the last snapshot's data and no scripts.</summary>
    private sealed record Crash : Operation;

    private enum Expectation
    {
        None,
        Current,
        Wrong,
    }

    /// <summary>Three publishers on one Redis, and the memory of all that they were told.</summary>
    private sealed class World : IAsyncDisposable, IArchiveLookup
    {
        private readonly RedisProcess _redis;
        private readonly LogClient[] _publishers;
        private readonly AppendRequest?[] _last = new AppendRequest?[3];
        private readonly string[] _streams = [$"model-{Guid.NewGuid():N}", $"model-{Guid.NewGuid():N}"];
        private readonly Dictionary<string, Dictionary<StreamPosition, string>> _everAcknowledged = [];
        private readonly Dictionary<string, SortedDictionary<StreamPosition, string>> _archive = [];
        private readonly Dictionary<string, (string State, string Type)> _archivedEnds = [];
        private readonly Dictionary<string, StreamPosition> _highest = [];

        private World(RedisProcess redis)
        {
            // One of the publishers shares no scripts: both ways must agree.
            _redis = redis;
            _publishers = [.. Enumerable.Range(0, 3).Select(number => new LogClient(
                redis.ConnectionString, new HotLogOptions { HealingPhase = TimeSpan.Zero, ShareScripts = number > 0 }, this))];
            foreach (var stream in _streams)
            {
                _everAcknowledged[stream] = [];
                _archive[stream] = [];
                _highest[stream] = StreamPosition.Zero;
            }
        }

        public int Appends { get; private set; }

        /// <summary>How many of them went by the shared script, or tried to.</summary>
        public int Shared { get; private set; }

        public static async Task<World> CreateAsync(RedisProcess redis)
        {
            var world = new World(redis);
            await world._publishers[0].Database.ExecuteAsync("FLUSHALL");
            await world._publishers[0].Database.ExecuteAsync("SCRIPT", "FLUSH");
            await world._publishers[0].Database.ExecuteAsync("SAVE");
            return world;
        }

        public ValueTask DisposeAsync()
        {
            foreach (var publisher in _publishers)
            {
                publisher.Dispose();
            }

            return ValueTask.CompletedTask;
        }

        public Task<ArchiveKnowledge> LookUpAsync(string stream, IReadOnlyList<AppendEvent> events, CancellationToken cancellationToken)
        {
            var archive = _archive[stream];
            var end = _archivedEnds.TryGetValue(stream, out var ended) ? ended : default;
            var known = events.Select((item, index) => (index, position: archive.LastOrDefault(entry => entry.Value == item.Id && !item.IdGenerated).Key))
                .Where(entry => !entry.position.IsZero)
                .Select(entry => KeyValuePair.Create(entry.index, entry.position)).ToList();
            return Task.FromResult(new ArchiveKnowledge(archive.Count == 0 ? StreamPosition.Zero : archive.Keys.Max(), end.State, end.Type, known));
        }

        public async Task RunAsync(Operation operation)
        {
            switch (operation)
            {
                case Append append:
                    await AppendAsync(append);
                    break;
                case Retry { Publisher: var publisher } when _last[publisher] is { } request:
                    await SendAsync(publisher, request, isRetry: true);
                    break;
                case Delete { Stream: var index }:
                    await _publishers[0].Log.DeleteAsync(_streams[index], fromArchive: false, Cancelled);
                    _archive[_streams[index]].Clear();
                    _archivedEnds.Remove(_streams[index]);
                    break;
                case Drain:
                    await DrainAsync();
                    break;
                case Expire { Stream: var index }:
                    await DrainAsync();
                    await _publishers[0].Database.KeyDeleteAsync(
                    [
                        StreamKeys.Stream(_streams[index]), StreamKeys.Meta(_streams[index]),
                        StreamKeys.Idempotency(_streams[index], 0), StreamKeys.Idempotency(_streams[index], 1),
                    ]);
                    break;
                case FlushScripts:
                    await _publishers[0].Database.ExecuteAsync("SCRIPT", "FLUSH");
                    break;
                case FlushAll:
                    await _publishers[0].Database.ExecuteAsync("FLUSHALL");
                    break;
                case Snapshot:
                    await _publishers[0].Database.ExecuteAsync("SAVE");
                    break;
                case Reload:
                    await _publishers[0].LoseTailAsync();
                    foreach (var publisher in _publishers)
                    {
                        publisher.Fence.Distrust();
                    }

                    break;
                case RaiseByAnother:
                    await RaiseAsync();
                    break;
                case Crash:
                    _redis.Kill();
                    await _redis.StartAsync(Cancelled);
                    await Eventually.TrueAsync(
                        () => _publishers.All(publisher => publisher.Database.Multiplexer.IsConnected), TimeSpan.FromSeconds(20), "connections to come back", Cancelled);
                    break;
                default:
                    break;
            }
        }

        private async Task RaiseAsync()
        {
            foreach (var stream in _streams)
            {
                var key = StreamKeys.Epoch(StreamName.PartitionOf(stream));
                if (await _publishers[0].Database.StringGetAsync(key) is { IsNull: false } stored && long.TryParse(stored.ToString(), out var epoch))
                {
                    await _publishers[0].Database.StringSetAsync(key, Math.Max(epoch + 1, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()));
                }
            }
        }

        /// <summary>What Redis holds agrees with all that was ever acknowledged, and is dense.</summary>
        public async Task AssertInvariantsAsync()
        {
            foreach (var stream in _streams)
            {
                var held = await ReadAsync(stream);
                for (var index = 0; index < held.Count; index++)
                {
                    var (position, id, previous) = held[index];
                    if (_everAcknowledged[stream].TryGetValue(position, out var acknowledged))
                    {
                        Assert.Equal(acknowledged, id);
                    }

                    if (index == 0)
                    {
                        continue;
                    }

                    var before = held[index - 1].Position;
                    if (position.Epoch == before.Epoch)
                    {
                        Assert.Equal(before.Sequence + 1, position.Sequence);
                    }
                    else
                    {
                        Assert.True(position.Epoch > before.Epoch);
                        Assert.True(previous is null || previous >= before, $"{position} claims to follow {previous}, but {before} is there");
                    }
                }

                Assert.Equal(held.Count, held.Select(entry => entry.Id).Distinct().Count());
            }
        }

        private async Task AppendAsync(Append append)
        {
            var stream = _streams[append.Stream];
            var attempt = GeneratedId.NewAttempt();
            var events = append.Ids.Select((id, index) =>
            {
                var terminal = append.Terminal && index == append.Ids.Length - 1;
                return LogClient.Event(
                    append.Generated ? null : $"id{id}",
                    terminal ? "STREAM_END" : "T",
                    terminal ? EventFlags.Terminal : EventFlags.None,
                    attempt,
                    index);
            }).ToArray();
            var meta = await _publishers[append.Publisher].Reader.ReadMetaAsync(stream, Cancelled);
            StreamPosition? expected = append.Expected switch
            {
                Expectation.Current => meta is { Deleted: false } ? meta.Last : StreamPosition.Zero,
                Expectation.Wrong => new StreamPosition(1, 1),
                _ => null,
            };
            await SendAsync(append.Publisher, new AppendRequest { Stream = stream, Attempt = attempt, Events = events, Expected = expected }, isRetry: false);
        }

        private async Task SendAsync(int publisher, AppendRequest request, bool isRetry)
        {
            _last[publisher] = request;
            var stream = request.Stream;
            var before = (await ReadAsync(stream)).ToDictionary(entry => entry.Id, entry => entry.Position);
            Appends++;
            Shared += !isRetry && _publishers[publisher].WillShare(stream) ? 1 : 0;
            var result = await _publishers[publisher].AppendAsync(request);
            var after = await ReadAsync(stream);
            if (result.Status != AppendStatus.Appended)
            {
                Assert.Equal(before.Count, after.Count);
                return;
            }

            Assert.Equal(request.Events.Count, result.Accepted + result.Duplicates);
            var positions = after.ToDictionary(entry => entry.Id, entry => entry.Position);
            var appended = 0;
            foreach (var item in request.Events.DistinctBy(item => item.Id))
            {
                var archived = _archive[stream].LastOrDefault(entry => entry.Value == item.Id).Key;
                if (before.TryGetValue(item.Id, out var known))
                {
                    Assert.Equal(known, positions[item.Id]);
                }
                else if (positions.TryGetValue(item.Id, out var position))
                {
                    appended++;
                    Assert.True(position > _highest[stream], $"{position} was given after {_highest[stream]}");
                    _highest[stream] = position;
                    Assert.True(_everAcknowledged[stream].TryAdd(position, item.Id), $"{position} was given twice");
                }
                else
                {
                    Assert.False(archived.IsZero, $"{item.Id} was acknowledged and is nowhere");
                }
            }

            Assert.True(isRetry ? result.Accepted >= appended : result.Accepted == appended, $"{result.Accepted} accepted, {appended} appended");
            var lookup = after.ToDictionary(entry => entry.Id, entry => entry.Position);
            foreach (var (id, position) in _archive[stream].Reverse().Select(entry => (entry.Value, entry.Key)))
            {
                lookup.TryAdd(id, position);
            }

            Assert.Equal(lookup[request.Events[0].Id], result.First);
            Assert.Equal(lookup[request.Events[^1].Id], result.Last);
        }

        private async Task DrainAsync()
        {
            var client = _publishers[0];
            foreach (var partition in _streams.Select(stream => StreamName.PartitionOf(stream)).Distinct())
            {
                var entries = await client.Reader.ReadArchiveLogAsync(partition, StreamPosition.Zero, 100_000, Cancelled);
                if (entries.Length == 0)
                {
                    continue;
                }

                foreach (var entry in entries.Where(entry => _archive.ContainsKey(entry.Stream)))
                {
                    if (entry.Kind == ArchiveLogKind.Append)
                    {
                        foreach (var stored in entry.Batch.ReadEvents())
                        {
                            var id = LogClient.IdOf(stored);
                            Assert.True(
                                !_archive[entry.Stream].TryGetValue(stored.Position, out var other) || other == id,
                                $"the archive has {other} at {stored.Position}, and now {id}");
                            _archive[entry.Stream][stored.Position] = id;
                            if (stored.Frame.Flags.HasFlag(EventFlags.Terminal))
                            {
                                _archivedEnds[entry.Stream] = (StreamStates.Ended, "STREAM_END");
                            }
                        }
                    }
                    else if (entry.Kind == ArchiveLogKind.Delete)
                    {
                        foreach (var position in _archive[entry.Stream].Keys.Where(position => position <= entry.Batch.First).ToList())
                        {
                            _archive[entry.Stream].Remove(position);
                        }

                        _archivedEnds.Remove(entry.Stream);
                    }
                }

                var archived = _streams.Where(stream => StreamName.PartitionOf(stream) == partition && _archive[stream].Count > 0)
                    .Select(stream => KeyValuePair.Create(stream, _archive[stream].Keys.Max())).ToList();
                await client.Trimmer.AfterCommitAsync(partition, entries[^1].Id, 0, archived, Cancelled);
            }
        }

        private async Task<List<(StreamPosition Position, string Id, StreamPosition? Previous)>> ReadAsync(string stream) =>
            [.. (await _publishers[0].ReadAllAsync(stream)).Select(stored => (stored.Position, LogClient.IdOf(stored), stored.Previous))];
    }
}
