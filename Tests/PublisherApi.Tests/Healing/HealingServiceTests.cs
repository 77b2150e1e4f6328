using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.PublisherApi.Tests.Healing;

/// <summary>The service as a whole: a Redis that is wiped while nobody publishes, and a stop with events that are not archived yet.</summary>
public sealed class HealingServiceTests(Servers servers)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Quiet_stream_is_back_after_a_wipe()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancelled);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive, "--HotLog:HealingPhase=00:00:00.200");
        var answer = (await publisher.PostAsync("quiet", """[{"type":"T","id":"1"},{"type":"T"}]""")).ShouldBeOk(2);

        await redis.RestartAsync(cancellationToken: Cancelled);

        StoredEvent[] read = [];
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    read = await publisher.Log.ReadAfterAsync("quiet", StreamPosition.Zero, 10, Cancelled);
                }
                catch (Exception exception) when (RedisFaults.Classify(exception) != FaultKind.Permanent)
                {
                    // Not back yet.
                }

                return read.Length == 2;
            },
            Patience,
            "both events are back",
            Cancelled);
        Assert.Equal([answer.First, answer.Last], read.Select(stored => stored.Position));
        (await publisher.PostAsync("quiet", """{"type":"T","id":"1"}""")).ShouldBeOk(0, 1);
    }

    [Fact]
    public async Task Post_archived_is_answered_although_the_event_had_to_be_put_back()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancelled);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive, "--HotLog:HealingPhase=00:00:00.100");
        var partition = StreamName.PartitionOf("durable");
        var post = publisher.PostAsync("durable", """{"type":"T"}""", query: "?durability=archived&timeout=20");
        await Eventually.TrueAsync(
            async () => await publisher.Log.CountAsync("durable", Cancelled) == 1, Patience, "the event is in the log", Cancelled);
        var end = await publisher.Log.ReadArchiveLogEndAsync(partition, Cancelled);
        await redis.SendAsync("FLUSHALL", Cancelled);
        await Eventually.TrueAsync(
            async () => await publisher.Log.ReadArchiveLogEndAsync(partition, Cancelled) is var now && now.Epoch > end.Epoch
                && await publisher.Log.CountAsync("durable", Cancelled) == 1,
            Patience,
            "the event is back",
            Cancelled);
        Assert.False(post.IsCompleted);

        var meta = await publisher.Log.ReadMetaAsync("durable", Cancelled);
        var healed = await publisher.Log.ReadArchiveLogEndAsync(partition, Cancelled);
        await publisher.Services.GetRequiredService<HotLogTrimmer>()
            .AfterCommitAsync(partition, healed, 0, [KeyValuePair.Create("durable", meta!.Last)], Cancelled);

        Assert.Equal("archived", (await post).ShouldBeOk(1).Json.GetProperty("durability").GetString());
    }

    [Fact]
    public async Task Stop_waits_for_the_archive()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancelled);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive);
        var answer = (await publisher.PostAsync("stopping", """{"type":"T"}""")).ShouldBeOk(1);
        var partition = StreamName.PartitionOf("stopping");
        var end = await publisher.Log.ReadArchiveLogEndAsync(partition, Cancelled);
        var trimmer = publisher.Services.GetRequiredService<HotLogTrimmer>();

        var stopping = publisher.StopAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => stopping.WaitAsync(TimeSpan.FromMilliseconds(500), TimeProvider.System, Cancelled));
        await trimmer.AfterCommitAsync(partition, end, 0, [KeyValuePair.Create("stopping", answer.Last)], Cancelled);

        await stopping.WaitAsync(Patience, TimeProvider.System, Cancelled);
        Assert.DoesNotContain("StoppedUnarchived", publisher.LoggedEvents);
    }

    [Fact]
    public async Task Stop_without_an_archiver_ends_and_says_so()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancelled);
        await using var publisher = await PublisherHost.StartAsync(redis.ConnectionString, servers.Archive, "--Publisher:Healing:StopTimeout=00:00:00.300");
        (await publisher.PostAsync("stopping", """{"type":"T"}""")).ShouldBeOk(1);

        await publisher.StopAsync().WaitAsync(Patience, TimeProvider.System, Cancelled);

        Assert.Contains("StoppedUnarchived", publisher.LoggedEvents);
    }
}
