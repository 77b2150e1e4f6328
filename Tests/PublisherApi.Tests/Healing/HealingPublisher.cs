using System.Globalization;
using System.Text;
using AspireStreaming.PublisherApi.Healing;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.PublisherApi.Tests.Healing;

/// <summary>A publisher as far as healing goes: a connection, a fence, a log, and what it keeps.</summary>
internal sealed class HealingPublisher : IDisposable
{
    private readonly ConnectionMultiplexer _redis;

    public HealingPublisher(string connectionString, IArchiveLookup? archive = null, TimeSpan? phase = null, long maxRetainedBytes = 64 << 20)
    {
        var configuration = ConfigurationOptions.Parse(connectionString);
        configuration.AbortOnConnectFail = false;
        _redis = ConnectionMultiplexer.Connect(configuration);
        var options = Options.Create(new HotLogOptions { HealingPhase = phase ?? TimeSpan.FromMilliseconds(50) });
        Healing = new HotLogHealing(_redis, options, TimeProvider.System);
        Reader = new HotLogReader(_redis, options, TimeProvider.System);
        Trimmer = new HotLogTrimmer(_redis, options, TimeProvider.System);
        Acknowledged = new AcknowledgedEvents(
            Healing,
            Reader,
            Options.Create(new HealingOptions { MaxRetainedBytes = maxRetainedBytes }),
            TimeProvider.System,
            NullLogger<AcknowledgedEvents>.Instance,
            archive);
        Fence = new PartitionFence(_redis, options, TimeProvider.System, NullLogger<PartitionFence>.Instance, archive, Acknowledged);
        Log = new HotLog(_redis, Fence, options, TimeProvider.System, NullLogger<HotLog>.Instance, archive);
    }

    public HotLog Log { get; }

    public HotLogReader Reader { get; }

    public HotLogTrimmer Trimmer { get; }

    public HotLogHealing Healing { get; }

    public PartitionFence Fence { get; }

    public AcknowledgedEvents Acknowledged { get; }

    public IDatabase Database => _redis.GetDatabase();


    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static AppendEvent Event(string id, bool generated = false, string type = "T")
    {
        var flags = type == "STREAM_END" ? EventFlags.Terminal : EventFlags.None;
        var json = string.Create(
            CultureInfo.InvariantCulture,
            $"\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/t\",\"type\":\"{type}\",\"time\":\"2026-01-02T03:04:05Z\",\"datacontenttype\":\"application/json\",\"data\":1}}");
        return new AppendEvent("/t", id, generated, type, flags, EventFrame.Encode(type, flags, Encoding.UTF8.GetBytes(json)));
    }

    public static string IdOf(StoredEvent stored)
    {
        var json = Encoding.UTF8.GetString(stored.Frame.Json.Span);
        return json[26..json.IndexOf('"', 26)];
    }

    public static AppendRequest Request(string stream, params AppendEvent[] events) => new() { Stream = stream, Events = events };

    /// <summary>As the Publisher API does: what was acknowledged is kept before anybody hears of it.</summary>
    public async Task<AppendResult> AppendAsync(AppendRequest request)
    {
        var result = await Log.AppendAsync(request, Cancelled);
        if (result.Status == AppendStatus.Appended)
        {
            await Acknowledged.KeepAsync(request, result, Cancelled);
        }

        return result;
    }

    public Task<AppendResult> AppendAsync(string stream, params AppendEvent[] events) => AppendAsync(Request(stream, events));

    public async Task<bool> DeleteAsync(string stream)
    {
        if (await Log.TryDeleteAsync(stream, fromArchive: true, Cancelled) is not { } deleted)
        {
            return false;
        }

        Acknowledged.KeepDeletion(stream, deleted.Position, true, deleted.LogId);
        return true;
    }

    public Task SettleAsync(string stream) => Fence.SettleAsync(StreamName.PartitionOf(stream), Cancelled);

    public Task<StoredEvent[]> ReadAllAsync(string stream) => Reader.ReadAfterAsync(stream, StreamPosition.Zero, 100_000, Cancelled);

    public async Task<bool> AnswersAsync()
    {
        try
        {
            await Database.PingAsync();
            return true;
        }
        catch (Exception exception) when (RedisFaults.Classify(exception) != FaultKind.Permanent)
        {
            return false;
        }
    }

    public async Task LoseTailAsync()
    {
        await Database.ExecuteAsync("DEBUG", "RELOAD", "NOSAVE");
        await Database.ExecuteAsync("DEBUG", "CHANGE-REPL-ID");
    }

    public void Dispose() => _redis.Dispose();
}
