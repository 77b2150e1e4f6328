using System.Globalization;
using System.Text;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Tests.Support;

/// <summary>A publisher: appends to the hot log without the Publisher API.</summary>
internal sealed class TestLog : IDisposable
{
    private readonly ConnectionMultiplexer _redis;
    private int _counter;

    public TestLog(string connectionString, IArchiveLookup? archive = null)
    {
        var configuration = ConfigurationOptions.Parse(connectionString);
        configuration.AbortOnConnectFail = false;
        _redis = ConnectionMultiplexer.Connect(configuration);
        var options = Options.Create(new HotLogOptions());
        Fence = new PartitionFence(_redis, options, TimeProvider.System, NullLogger<PartitionFence>.Instance);
        Log = new HotLog(_redis, Fence, options, TimeProvider.System, NullLogger<HotLog>.Instance, archive);
        Reader = new HotLogReader(_redis, options, TimeProvider.System);
        Trimmer = new HotLogTrimmer(_redis, options, TimeProvider.System);
    }

    public HotLog Log { get; }

    public HotLogReader Reader { get; }

    public HotLogTrimmer Trimmer { get; }

    public PartitionFence Fence { get; }

    public IDatabase Database => _redis.GetDatabase();

    /// <summary>A name that no other test uses.</summary>
    public static string NewStream(string stem = "s") => $"{stem}-{Guid.NewGuid():N}";

    public static EventFlags FlagsOf(string type) => type switch
    {
        "WORKFLOW_COMPLETED" or "STREAM_END" => EventFlags.Terminal,
        "WORKFLOW_FAILED" => EventFlags.Terminal | EventFlags.Critical,
        "ERROR_OCCURRED" => EventFlags.Critical,
        _ => EventFlags.None,
    };

    public AppendEvent Event(string type = "T", string data = "1", string? id = null)
    {
        id ??= string.Create(CultureInfo.InvariantCulture, $"e{Interlocked.Increment(ref _counter)}");
        var flags = FlagsOf(type);
        var json = $"\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/t\",\"type\":\"{type}\",\"time\":\"2026-01-02T03:04:05Z\","
            + $"\"datacontenttype\":\"application/json\",\"data\":{data}}}";
        return new AppendEvent("/t", id, false, type, flags, EventFrame.Encode(type, flags, Encoding.UTF8.GetBytes(json)));
    }

    public async Task<AppendResult> AppendAsync(string stream, params AppendEvent[] events)
    {
        var result = await Log.AppendAsync(
            new AppendRequest { Stream = stream, Events = events }, TestContext.Current.CancellationToken);
        Assert.Equal(AppendStatus.Appended, result.Status);
        return result;
    }

    /// <summary>Appends events of type T whose data is their number, in one request.</summary>
    public Task<AppendResult> AppendNumbersAsync(string stream, int first, int count) => AppendAsync(
        stream, [.. Enumerable.Range(first, count).Select(number => Event(data: number.ToString(CultureInfo.InvariantCulture)))]);

    /// <summary>Writes events where no publisher would: at positions from one on, linked to the epoch before or not.</summary>
    public async Task InsertAsync(string stream, StreamPosition first, StreamPosition? previous, params AppendEvent[] events)
    {
        var recorded = (await Reader.ReadMetaAsync(stream, TestContext.Current.CancellationToken))!.RecordedAt;
        for (var index = 0; index < events.Length; index++)
        {
            List<object> arguments = [StreamKeys.Stream(stream), (first with { Sequence = first.Sequence + index }).ToString(), "e", events[index].Frame, "r", recorded];
            if (previous is { } link && index == 0)
            {
                arguments.AddRange(["p", link.ToString()]);
            }

            await Database.ExecuteAsync("XADD", [.. arguments]);
        }

        await Database.HashSetAsync(StreamKeys.Meta(stream), [new HashEntry("e", first.Epoch), new HashEntry("s", first.Sequence + events.Length - 1)]);
    }

    /// <summary>Redis's clock, Unix milliseconds.</summary>
    public async Task<long> ServerTimeAsync()
    {
        var reply = (RedisResult[])(await Database.ExecuteAsync("TIME"))!;
        return ((long)reply[0] * 1_000) + ((long)reply[1] / 1_000);
    }

    /// <summary>Trims a stream as the archiver would, without an archive: events up to and including a sequence are gone.</summary>
    public Task TrimAsync(string stream, StreamPosition upTo) =>
        Database.ExecuteAsync("XTRIM", StreamKeys.Stream(stream), "MINID", upTo.Next.ToString());

    public void Dispose() => _redis.Dispose();
}
