using System.Text;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.PublisherApi;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Benchmarks;

/// <summary>What the Publisher API does with a body after HTTP: reads and checks it, makes frames, appends them to a real Redis.</summary>
internal sealed class AppendPath : IAsyncDisposable
{
    private readonly RedisProcess _redis;
    private readonly ConnectionMultiplexer _connection;
    private readonly HotLog _log;
    private readonly EventReader _reader;
    private int _stream;

    private AppendPath(RedisProcess redis, ConnectionMultiplexer connection)
    {
        _redis = redis;
        _connection = connection;
        var options = Options.Create(new HotLogOptions { MaxArchiveBacklogBytes = 0 });
        var fence = new PartitionFence(connection, options, TimeProvider.System, NullLogger<PartitionFence>.Instance);
        _log = new HotLog(connection, fence, options, TimeProvider.System, NullLogger<HotLog>.Instance);
        var publisher = new PublisherOptions();
        _reader = new EventReader(new AttributeRules(publisher), new EventComposer(publisher, TimeProvider.System));
    }

    /// <summary>One event of about 170 bytes, as the load run sends.</summary>
    public static byte[] OneEvent { get; } = Encoding.UTF8.GetBytes(Body(1));

    /// <summary>A hundred of them.</summary>
    public static byte[] HundredEvents { get; } = Encoding.UTF8.GetBytes("[" + string.Join(',', Enumerable.Range(1, 100).Select(Body)) + "]");

    public static async Task<AppendPath> StartAsync()
    {
        var redis = await RedisProcess.StartAsync(arguments: ["--save", ""]).ConfigureAwait(false);
        var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString).ConfigureAwait(false);
        return new AppendPath(redis, connection);
    }

    /// <summary>Publishes a body to one of 128 streams.</summary>
    public async Task<StreamPosition> PublishAsync(byte[] body)
    {
        var batch = new EventBatch();
        if (_reader.Read(body, JsonShape.EventOrArray, batch) is { } fault)
        {
            throw new InvalidOperationException(fault.ToString());
        }

        var stream = $"bench{_stream++ % 128}";
        var result = await _log.AppendAsync(batch.ToRequest(stream, null), CancellationToken.None).ConfigureAwait(false);
        return result.Status == AppendStatus.Appended ? result.Last : throw new InvalidOperationException(result.Status.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        _connection.Dispose();
        await _redis.DisposeAsync().ConfigureAwait(false);
    }

    private static string Body(int number) =>
        $$$"""{"type":"order.updated","data":{"t":1795204617727,"n":{{{number}}},"s":7,"pad":"{{{new string('x', 110)}}}"}}""";
}
