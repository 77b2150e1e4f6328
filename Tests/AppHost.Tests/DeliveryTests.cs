using AspireStreaming.Client;
using AspireStreaming.SystemSupport;
using AspireStreaming.SystemSupport.Publishing;
using AspireStreaming.SystemSupport.Subscribing;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Histories;
using Npgsql;

namespace AspireStreaming.AppHost.Tests;

/// <summary>One event's way through the whole system as AppHost starts it, and what it survives. FailureSuite.Tests goes much further.</summary>
[Collection(SystemCollection.Name)]
public sealed class DeliveryTests : IAsyncLifetime
{
    private readonly string _stream = $"system-{Guid.NewGuid():N}";
    private readonly History _history = new();
    private readonly SystemFixture _system;
    private readonly HttpPublisher _publisher;
    private readonly ClientPublisher _clientPublisher;
    private readonly SseSubscriber _subscriber;
    private readonly List<LoadSubscriber> _clients = [];

    public DeliveryTests(SystemFixture system)
    {
        _system = system;
        _publisher = new HttpPublisher(system.Client("publisher-api"), "http", _history, [_stream]);
        _clientPublisher = new ClientPublisher(system.Client("publisher-api"), "client", _history, [_stream]);
        _subscriber = new SseSubscriber(system.Client("stream-api"), _history.Follow("sse", _stream), _history);
        foreach (var transport in Enum.GetValues<StreamTransport>())
        {
            var options = new StreamingClientOptions { StreamApiGrpcUrl = system.App.GetEndpoint("stream-api", "grpc") };
            var client = new EventSubscriber(system.Client("stream-api"), options);
            _clients.Add(new ClientSubscriber(client, transport, _history.Follow($"client {transport}", _stream), _history));
        }
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _publisher.PublishAsync(_stream, 10, Cancelled);
        _subscriber.Start();
        foreach (var client in _clients)
        {
            client.Start();
        }

        await SeenAsync(10);
    }

    public async ValueTask DisposeAsync()
    {
        await _publisher.DisposeAsync();
        await _clientPublisher.DisposeAsync();
        await _subscriber.DisposeAsync();
        foreach (var client in _clients)
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task Published_events_arrive_live_and_in_the_archive()
    {
        for (var batch = 0; batch < 20; batch++)
        {
            await _publisher.PublishAsync(_stream, 25, Cancelled);
            await _clientPublisher.PublishAsync(_stream, 25, Cancelled);
        }

        await AssertCompleteAsync();
        Assert.Equal(1010, _subscriber.Track.Count);
    }

    [Fact]
    public async Task Killed_stream_apis_lose_nothing_for_subscribers_that_resume()
    {
        _publisher.Start();
        _clientPublisher.Start();
        await SeenAsync(50);
        var killed = await _system.System.ProcessesAsync("stream-api", Cancelled);
        foreach (var process in killed.Values)
        {
            RunningSystem.Kill(process);
        }

        var before = _subscriber.Connections;
        foreach (var instance in killed.Keys)
        {
            await _system.System.StartAgainAsync("stream-api", instance, Cancelled);
        }

        await Eventually.TrueAsync(() => _subscriber.Connections > before, SystemFixture.Patience, "the subscriber to connect again", Cancelled);
        await SeenAsync(_history.AcknowledgedCount + 50);
        await _publisher.StopAsync(SystemFixture.Patience);
        await _clientPublisher.StopAsync(SystemFixture.Patience);

        await AssertCompleteAsync();
        await _system.HealthyAsync(Cancelled);
    }

    [Fact]
    public async Task Restarted_redis_loses_nothing_that_was_acknowledged()
    {
        _publisher.Start();
        _clientPublisher.Start();
        await SeenAsync(50);
        await _system.System.CommandAsync("redis", KnownResourceCommands.RestartCommand, Cancelled);
        await _system.HealthyAsync(Cancelled);
        await SeenAsync(_history.AcknowledgedCount + 50);
        await _publisher.StopAsync(SystemFixture.Patience);
        await _clientPublisher.StopAsync(SystemFixture.Patience);

        await AssertCompleteAsync();
    }

    private Task SeenAsync(int count) => Eventually.TrueAsync(
        () => _subscriber.Track.Count >= count, SystemFixture.Patience, $"the subscriber to see {count} events", Cancelled);

    private async Task AssertCompleteAsync()
    {
        await Eventually.TrueAsync(
            _history.IsDelivered, SystemFixture.Patience, "the subscriber to see every acknowledged event", Cancelled);
        await _system.ArchivedAsync(_stream, Cancelled);
        var report = HistoryChecker.Check(_history, await ReadArchiveAsync());
        Assert.True(report.Findings.Count == 0, report.ToString());
    }

    private async Task<List<ArchivedRow>> ReadArchiveAsync()
    {
        await using var archive = NpgsqlDataSource.Create(await _system.ArchiveAsync(Cancelled));
        await using var command = archive.CreateCommand("select epoch, seq, event_id from events where stream = $1");
        command.Parameters.AddWithValue(_stream);
        await using var reader = await command.ExecuteReaderAsync(Cancelled);
        var rows = new List<ArchivedRow>();
        while (await reader.ReadAsync(Cancelled))
        {
            rows.Add(new ArchivedRow(_stream, new LogPosition((ulong)reader.GetInt64(0), (ulong)reader.GetInt64(1)), reader.GetString(2)));
        }

        return rows;
    }
}
