using System.Globalization;
using System.Text;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Wire;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

[assembly: AssemblyFixture(typeof(AspireStreaming.Streaming.Tests.Redis.RedisFixture))]

namespace AspireStreaming.Streaming.Tests.Redis;

/// <summary>One redis-server for all tests that don't break it; they keep apart by stream name.</summary>
public sealed class RedisFixture : IAsyncLifetime
{
    public RedisProcess Process { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Process = await RedisProcess.StartAsync();

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}

/// <summary>One process's view of the hot log: its own connection and fence.</summary>
internal sealed class LogClient : IDisposable
{
    private readonly ConnectionMultiplexer _redis;
    private readonly DirectConnection _direct;

    /// <param name="connectionString">Of Redis.</param>
    /// <param name="options">Limits and times.</param>
    /// <param name="archive">Null where there is none.</param>
    public LogClient(string connectionString, HotLogOptions? options = null, IArchiveLookup? archive = null)
    {
        var configuration = ConfigurationOptions.Parse(connectionString);
        configuration.AbortOnConnectFail = false;
        _redis = ConnectionMultiplexer.Connect(configuration);
        var wrapped = Options.Create(options ?? new HotLogOptions { HealingPhase = TimeSpan.FromMilliseconds(20) });
        Fence = new PartitionFence(_redis, wrapped, TimeProvider.System, NullLogger<PartitionFence>.Instance, archive);
        _direct = new DirectConnection(
            _redis, configuration, Fence, wrapped, TimeProvider.System, NullLogger<DirectConnection>.Instance);
        Log = new HotLog(_redis, Fence, wrapped, TimeProvider.System, NullLogger<HotLog>.Instance, archive, _direct);
        Log.Shared.Gathering = Log.Shared.Pause = TimeSpan.Zero;
        Reader = new HotLogReader(_redis, wrapped, TimeProvider.System);
        Trimmer = new HotLogTrimmer(_redis, wrapped, TimeProvider.System);
    }

    public HotLog Log { get; }

    public HotLogReader Reader { get; }

    public HotLogTrimmer Trimmer { get; }

    public PartitionFence Fence { get; }

    public IDatabase Database => _redis.GetDatabase();

    public ISubscriber Subscriber => _redis.GetSubscriber();

    public static AppendEvent Event(string? id = null, string type = "T", EventFlags flags = EventFlags.None, string? attempt = null, int index = 0)
    {
        var actual = id ?? GeneratedId.For(attempt!, index);
        var json = string.Create(CultureInfo.InvariantCulture, $"\"specversion\":\"1.0\",\"id\":\"{actual}\",\"source\":\"/t\",\"type\":\"{type}\"}}");
        return new AppendEvent("/t", actual, id is null, type, flags, EventFrame.Encode(type, flags, Encoding.UTF8.GetBytes(json)));
    }

    public static AppendRequest Request(string stream, params AppendEvent[] events) => new() { Stream = stream, Events = events };

    public static AppendRequest Generated(string stream, int count)
    {
        var attempt = GeneratedId.NewAttempt();
        return new AppendRequest
        {
            Stream = stream,
            Attempt = attempt,
            Events = [.. Enumerable.Range(0, count).Select(index => Event(attempt: attempt, index: index))],
        };
    }

    public Task<AppendResult> AppendAsync(string stream, params AppendEvent[] events) => AppendAsync(Request(stream, events));

    /// <summary>Appends, and sees to it that the next append may go by the shared script.</summary>
    public async Task<AppendResult> AppendAsync(AppendRequest request)
    {
        var result = await Log.AppendAsync(request, TestContext.Current.CancellationToken);
        await Log.Shared.Proving.WaitAsync(TestContext.Current.CancellationToken);
        return result;
    }

    /// <summary>Whether the next append goes over the connection of its own.</summary>
    public bool IsDirect => _direct.Current is not null;

    /// <summary>Whether the next append to a stream goes by the shared script.</summary>
    public bool WillShare(string stream)
    {
        var partition = StreamName.PartitionOf(stream);
        return Log.Shared.For(partition, Fence.HighestSeen(partition)) is not null;
    }

    public Task<StoredEvent[]> ReadAllAsync(string stream) =>
        Reader.ReadAfterAsync(stream, StreamPosition.Zero, 100_000, TestContext.Current.CancellationToken);

    public static string IdOf(StoredEvent stored)
    {
        var json = Encoding.UTF8.GetString(stored.Frame.Json.Span);
        return json[26..json.IndexOf('"', 26)];
    }

    /// <summary>
    /// Gives the process the data of its last snapshot with today's scripts, and a replication ID of its own: it was demoted,
    /// synchronised from a successor that lacked the tail, and promoted again.
    /// </summary>
    public async Task LoseTailAsync()
    {
        await Database.ExecuteAsync("DEBUG", "RELOAD", "NOSAVE");
        await Database.ExecuteAsync("DEBUG", "CHANGE-REPL-ID");
    }

    /// <summary>Waits until appends go over the connection of their own.</summary>
    public Task BecomeDirectAsync() => Eventually.TrueAsync(
        () => IsDirect, TimeSpan.FromSeconds(20), "the direct connection", TestContext.Current.CancellationToken);

    public void Dispose()
    {
        _direct.Dispose();
        _redis.Dispose();
    }
}
