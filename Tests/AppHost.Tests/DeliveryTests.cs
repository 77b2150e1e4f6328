using AspireStreaming.TestSupport;
using Npgsql;

namespace AspireStreaming.AppHost.Tests;

/// <summary>One event's way through the whole system, and what it survives.</summary>
[Collection(SystemCollection.Name)]
public sealed class DeliveryTests(SystemFixture system)
{
    private readonly string _stream = $"system-{Guid.NewGuid():N}";
    private readonly History _history = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Published_events_arrive_live_and_in_the_archive()
    {
        using var publisher = new Publisher(system.Client("publisher-api"), _stream, _history);
        await publisher.PublishAsync(10, Cancelled);
        await using var subscriber = new Subscriber(system.Client("stream-api"), _stream, _history);
        await subscriber.Connected.WaitAsync(SystemFixture.Patience, Cancelled);

        for (var batch = 0; batch < 20; batch++)
        {
            await publisher.PublishAsync(25, Cancelled);
        }

        await SeenAllAsync();
        _history.AssertComplete();
        Assert.Equal(510, _history.SeenCount);
        await AssertArchivedAsync();
    }

    [Fact]
    public async Task Killed_stream_apis_lose_nothing_for_subscribers_that_resume()
    {
        using var publisher = new Publisher(system.Client("publisher-api"), _stream, _history);
        await publisher.PublishAsync(1, Cancelled);
        await using var subscriber = new Subscriber(system.Client("stream-api"), _stream, _history);
        await subscriber.Connected.WaitAsync(SystemFixture.Patience, Cancelled);
        var stop = new TaskCompletionSource();
        var load = publisher.PublishUntilAsync(stop.Task, 5, Cancelled);
        await SeenAtLeastAsync(50);

        var killed = await system.ProcessesAsync("stream-api", Cancelled);
        foreach (var process in killed.Values)
        {
            SystemFixture.Kill(process);
        }

        var before = subscriber.Connections;
        await system.StartAgainAsync("stream-api", killed.Keys, Cancelled);
        await Eventually.TrueAsync(() => subscriber.Connections > before, SystemFixture.Patience, "the subscriber to connect again", Cancelled);
        await SeenAtLeastAsync(_history.AcknowledgedCount + 50);
        stop.SetResult();
        await load;

        await SeenAllAsync();
        _history.AssertComplete();
        await AssertArchivedAsync();
        await system.HealthyAsync(Cancelled);
    }

    [Fact]
    public async Task Restarted_redis_loses_nothing_that_was_acknowledged()
    {
        using var publisher = new Publisher(system.Client("publisher-api"), _stream, _history);
        await publisher.PublishAsync(1, Cancelled);
        await using var subscriber = new Subscriber(system.Client("stream-api"), _stream, _history);
        await subscriber.Connected.WaitAsync(SystemFixture.Patience, Cancelled);
        var stop = new TaskCompletionSource();
        var load = publisher.PublishUntilAsync(stop.Task, 5, Cancelled);
        await SeenAtLeastAsync(50);

        await system.CommandAsync("redis", KnownResourceCommands.RestartCommand, Cancelled);
        await system.HealthyAsync(Cancelled);
        await SeenAtLeastAsync(_history.AcknowledgedCount + 50);
        stop.SetResult();
        await load;

        await SeenAllAsync();
        _history.AssertComplete();
        await AssertArchivedAsync();
    }

    private Task SeenAtLeastAsync(int count) => Eventually.TrueAsync(
        () => _history.SeenCount >= count, SystemFixture.Patience, $"the subscriber to see {count} events", Cancelled);

    private Task SeenAllAsync() => Eventually.TrueAsync(
        _history.HasSeenAll, SystemFixture.Patience, "the subscriber to see every acknowledged event", Cancelled);

    private async Task AssertArchivedAsync()
    {
        await system.ArchivedAsync(_stream, Cancelled);
        await using var archive = NpgsqlDataSource.Create(await system.ArchiveAsync(Cancelled));
        await using var command = archive.CreateCommand("select count(*), count(distinct event_id) from events where stream = $1");
        command.Parameters.AddWithValue(_stream);
        await using var reader = await command.ExecuteReaderAsync(Cancelled);
        Assert.True(await reader.ReadAsync(Cancelled));
        Assert.Equal((_history.SeenCount, _history.SeenCount), ((int)reader.GetInt64(0), (int)reader.GetInt64(1)));
    }
}
