using AspireStreaming.Archive;
using AspireStreaming.Archive.Writing;
using AspireStreaming.EventArchiver.Archiving;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using StackExchange.Redis;

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>A Redis and a database of one test's own, a publisher's view of the hot log, and a ledger of what was acknowledged.</summary>
internal sealed class World : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly ConnectionMultiplexer _connection;
    private readonly Dictionary<string, SortedDictionary<StreamPosition, EventFrame>> _acknowledged = new(StringComparer.Ordinal);
    private readonly List<WebApplication> _archivers = [];
    private int _ids;

    private World(RedisProcess redis, string database, HotLogOptions? hotLog = null)
    {
        Redis = redis;
        Database = database;
        DataSource = NpgsqlDataSource.Create(database);
        Archive = new ArchiveReader(DataSource);
        Schema = new ArchiveSchema(DataSource, NullLogger<ArchiveSchema>.Instance);
        Days = new DayPartitions(DataSource);
        var configuration = ConfigurationOptions.Parse(redis.ConnectionString);
        configuration.AbortOnConnectFail = false;
        _connection = ConnectionMultiplexer.Connect(configuration);
        var options = Options.Create(hotLog ?? new HotLogOptions());
        Fence = new PartitionFence(_connection, options, TimeProvider.System, NullLogger<PartitionFence>.Instance);
        Log = new HotLog(_connection, Fence, options, TimeProvider.System, NullLogger<HotLog>.Instance, Archive);
        Reader = new HotLogReader(_connection, options, TimeProvider.System);
    }

    public RedisProcess Redis { get; }

    public string Database { get; }

    public NpgsqlDataSource DataSource { get; }

    public ArchiveReader Archive { get; }

    public ArchiveSchema Schema { get; }

    public DayPartitions Days { get; }

    public PartitionFence Fence { get; }

    public HotLog Log { get; }

    public HotLogReader Reader { get; }

    public IDatabase RedisDatabase => _connection.GetDatabase();

    public long Acknowledged
    {
        get
        {
            lock (_acknowledged)
            {
                return _acknowledged.Values.Sum(stream => (long)stream.Count);
            }
        }
    }

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<World> CreateAsync(Servers servers, HotLogOptions? hotLog = null) =>
        new(await RedisProcess.StartAsync(cancellationToken: Token), await servers.CreateDatabaseAsync(), hotLog);

    public static async Task<World> CreateAsync(PostgresProcess postgres) =>
        new(await RedisProcess.StartAsync(cancellationToken: Token), await postgres.CreateDatabaseAsync("events", Token));

    /// <summary>What an archiver is started with.</summary>
    public string[] Arguments(params string[] more) =>
    [
        "--environment=Development", $"--ConnectionStrings:redis={Redis.ConnectionString}", $"--ConnectionStrings:events={Database}",
        "--Kestrel:Endpoints:http:Url=http://127.0.0.1:0", "--Logging:LogLevel:Default=Warning",
        "--Archiver:LeaseDuration=00:00:02", "--Archiver:LeaseRenewal=00:00:00.500", "--Archiver:MaxBatchAge=00:00:00.050", .. more,
    ];

    /// <summary>Starts an archiver in this process.</summary>
    public async Task<WebApplication> StartArchiverAsync(params string[] more)
    {
        var app = ArchiverApp.Create(Arguments(more));
        _archivers.Add(app);
        await app.StartAsync(Token);
        return app;
    }

    public ArchiveWriter Writer(string owner) => new(DataSource, Days, owner, TimeSpan.FromSeconds(10));

    public PartitionLeases Leases(string owner, double seconds = 10) => new(DataSource, owner, TimeSpan.FromSeconds(seconds));

    /// <summary>Appends events with new ids and writes down what was acknowledged.</summary>
    public Task AppendAsync(string stream, int count, string data = "{\"n\":1}") => AppendAsync(
        stream, [.. Enumerable.Range(0, count).Select(_ => TestEvents.Append($"e{Interlocked.Increment(ref _ids)}", data: data))]);

    public async Task AppendAsync(string stream, params AppendEvent[] events)
    {
        var result = await Log.AppendAsync(new AppendRequest { Stream = stream, Events = events }, Token);
        Assert.Equal(AppendStatus.Appended, result.Status);
        Assert.Equal(events.Length, result.Accepted);
        Note(stream, result.First, events);
    }

    /// <summary>Appends until it succeeds, as a publisher does; needs a request whose retry is recognised.</summary>
    public async Task AppendPatientlyAsync(string stream, int count)
    {
        AppendEvent[] events = [.. Enumerable.Range(0, count).Select(_ => TestEvents.Append($"e{Interlocked.Increment(ref _ids)}"))];
        var request = new AppendRequest { Stream = stream, Events = events };
        AppendResult? result = null;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    result = await Log.AppendAsync(request, Token);
                    return true;
                }
                catch (Exception exception) when (RedisFaults.Classify(exception) != FaultKind.Permanent)
                {
                    return false;
                }
            },
            Deadline,
            "the append is acknowledged",
            Token);
        Note(stream, result!.First, events);
    }

    /// <summary>Appends to some 70 streams until told to stop.</summary>
    public async Task PublishAsync(CancellationToken stop)
    {
        for (var round = 0; !stop.IsCancellationRequested; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 20).Select(number => AppendPatientlyAsync($"load-{(round * 7 % 50) + number}", 1 + (round % 9))));
        }
    }

    public static OwnedPartitions Owned(WebApplication archiver) => archiver.Services.GetRequiredService<OwnedPartitions>();

    public static Task OwnsAsync(WebApplication archiver, int partitions) => Eventually.TrueAsync(
        () => Owned(archiver).All.Count == partitions, Deadline, $"the archiver owns {partitions} partitions", Token);

    /// <summary>Waits until the archive has everything that was acknowledged, then checks that it has it once and unchanged.</summary>
    public async Task AssertArchivedOnceAsync()
    {
        var expected = Acknowledged;
        await Eventually.TrueAsync(async () => await CountAsync() >= expected, Deadline, $"the archive holds {expected} events", Token);
        Dictionary<string, SortedDictionary<StreamPosition, EventFrame>> ledger;
        lock (_acknowledged)
        {
            ledger = _acknowledged.ToDictionary(stream => stream.Key, stream => new SortedDictionary<StreamPosition, EventFrame>(stream.Value));
        }

        foreach (var (stream, events) in ledger)
        {
            var archived = await ReadAllAsync(stream);
            Assert.Equal(events.Keys, archived.Select(item => item.Position));
            Assert.All(events.Values.Zip(archived), pair => Assert.True(pair.First.Bytes.Span.SequenceEqual(pair.Second.Frame.Bytes.Span)));
            var summary = await Archive.ReadStreamAsync(stream, Token);
            Assert.NotNull(summary);
            Assert.Equal((archived[0].Position, archived[^1].Position, archived.Length), (summary.First, summary.Last, summary.Count));
        }

        Assert.Equal(ledger.Values.Sum(stream => (long)stream.Count), await CountAsync());
    }

    /// <summary>Waits until Redis has nothing left to archive.</summary>
    public Task AssertTrimmedAsync() => Eventually.TrueAsync(
        async () =>
        {
            for (var partition = 0; partition < StreamName.PartitionCount; partition++)
            {
                if (await Reader.CountArchiveLogAsync(partition, Token) > 0
                    || (await RedisDatabase.StringGetAsync(StreamKeys.ArchiveBytes(partition)) is { IsNull: false } bytes && bytes != "0"))
                {
                    return false;
                }
            }

            return true;
        },
        Deadline,
        "all archive logs are trimmed and their bytes counted down",
        Token);

    public async Task<StoredEvent[]> ReadAllAsync(string stream)
    {
        var events = new List<StoredEvent>();
        while (true)
        {
            var page = await Archive.ReadAfterAsync(stream, events.Count == 0 ? StreamPosition.Zero : events[^1].Position, 1000, Token);
            events.AddRange(page);
            if (page.Length < 1000)
            {
                return [.. events];
            }
        }
    }

    public async Task<long> CountAsync()
    {
        try
        {
            return await ScalarAsync<long>("select count(*) from events");
        }
        catch (NpgsqlException exception) when (exception is not PostgresException { SqlState: not PostgresErrorCodes.UndefinedTable })
        {
            // No schema yet, or a pooled connection to a server that was killed.
            return 0;
        }
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
#pragma warning disable CA2100 // Tests write their own statements.
        await using var command = DataSource.CreateCommand(sql);
#pragma warning restore CA2100
        return (T)(await command.ExecuteScalarAsync(Token))!;
    }

    public async Task ExecuteAsync(string sql)
    {
#pragma warning disable CA2100
        await using var command = DataSource.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(Token);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var archiver in _archivers)
        {
            await archiver.StopAsync(CancellationToken.None);
            await archiver.DisposeAsync();
        }

        _connection.Dispose();
        await DataSource.DisposeAsync();
        await Redis.DisposeAsync();
    }

    private void Note(string stream, StreamPosition first, AppendEvent[] events)
    {
        lock (_acknowledged)
        {
            if (!_acknowledged.TryGetValue(stream, out var known))
            {
                _acknowledged.Add(stream, known = []);
            }

            for (var index = 0; index < events.Length; index++)
            {
                known.Add(first with { Sequence = first.Sequence + index }, new EventFrame(events[index].Frame));
            }
        }
    }
}
