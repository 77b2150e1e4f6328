using System.Net;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.PublisherApi.Tests.Http;

public sealed class DurabilityTests(Servers servers)
{
    private readonly PublisherHost _publisher = servers.Publisher;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Post_archived_waits_for_the_archiver()
    {
        var stream = PublisherHost.NewStream("durable");
        var post = _publisher.PostAsync(stream, """[{"type":"T"},{"type":"T"}]""", query: "?durability=archived&timeout=20");
        var last = await LastAsync(stream, 2);
        await ArchiveAsync(stream, last with { Sequence = 1 });
        Assert.False(post.IsCompleted);
        await ArchiveAsync(stream, last);

        var answer = (await post).ShouldBeOk(2);
        Assert.Equal("archived", answer.Json.GetProperty("durability").GetString());
    }

    [Fact]
    public async Task Post_archived_is_202_after_its_time()
    {
        var answer = (
            await _publisher.PostAsync(PublisherHost.NewStream("durable"), """{"type":"T"}""", query: "?durability=archived&timeout=1"))
            .ShouldBe(HttpStatusCode.Accepted);

        Assert.Equal(("log", 1), (answer.Json.GetProperty("durability").GetString(), answer.Accepted));
    }

    [Fact]
    public async Task Post_archived_with_known_events_waits_for_the_new_ones()
    {
        var stream = PublisherHost.NewStream("durable");
        var first = (await _publisher.PostAsync(stream, """{"type":"T","id":"1"}""")).ShouldBeOk(1);
        await ArchiveAsync(stream, first.Last);

        (await _publisher.PostAsync(stream, """{"type":"T","id":"1"}""", query: "?durability=archived")).ShouldBeOk(0, 1);
        (await _publisher.PostAsync(stream, """[{"type":"T","id":"2"},{"type":"T","id":"1"}]""", query: "?durability=archived&timeout=1"))
            .ShouldBe(HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Post_archived_ndjson_waits_once_at_the_end()
    {
        var stream = PublisherHost.NewStream("durable");
        var post = _publisher.PostAsync(stream, "{\"type\":\"T\"}\n{\"type\":\"T\"}\n", "application/x-ndjson", "?durability=archived");
        await ArchiveAsync(stream, await LastAsync(stream, 2));

        Assert.Equal("archived", (await post).ShouldBeOk(2).Json.GetProperty("durability").GetString());
    }

    private async Task<StreamPosition> LastAsync(string stream, int sequence)
    {
        StreamMeta? meta = null;
        await Eventually.TrueAsync(
            async () => (meta = await _publisher.Log.ReadMetaAsync(stream, Cancel))?.Last.Sequence == sequence, TimeSpan.FromSeconds(10), $"{stream} has {sequence} events", Cancel);
        return meta!.Last;
    }

    /// <summary>What the archiver does after a commit, but for one stream.</summary>
    private async Task ArchiveAsync(string stream, StreamPosition position)
    {
        var partition = StreamName.PartitionOf(stream);
        var isAll = position >= (await _publisher.Log.ReadMetaAsync(stream, Cancel))!.Last;
        var watermark = isAll ? await _publisher.Log.ReadArchiveLogEndAsync(partition, Cancel) : new StreamPosition(1, 1);
        await _publisher.Services.GetRequiredService<HotLogTrimmer>()
            .AfterCommitAsync(partition, watermark, 0, [KeyValuePair.Create(stream, position)], Cancel);
    }
}
