using System.Globalization;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Tests.Faults;

/// <summary>Wakes over the connection of their own: that they take it, what is found out after it broke, and what happens without it.</summary>
public sealed class DirectWakeTests : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly string _stream = TestLog.NewStream();
    private RedisProcess _redis = null!;
    private StreamApiHost _host = null!;
    private TestLog _log = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync(cancellationToken: Cancelled);
        _log = new TestLog(_redis.ConnectionString);

        // Nothing but the wakes, and what is done when their connection breaks, tells of events.
        _host = await StreamApiHost.StartAsync(
            $"{_redis.ConnectionString},name=reader", "--Delivery:TailCheckInterval=00:01:00", "--Logging:LogLevel:Default=Error");
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _log.Dispose();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task Streams_are_subscribed_on_it_alone_while_they_are_read()
    {
        await using (var client = await OpenAsync())
        {
            Assert.Equal((1, 1), await SubscriptionsAsync());

            await _log.AppendNumbersAsync(_stream, 1, 1);
            Assert.Equal(1, (await client.ReadEventAsync()).Number);
        }
    }

    [Fact]
    public async Task Killed_connection_is_opened_again_and_what_was_told_meanwhile_is_found()
    {
        await using var client = await OpenAsync();
        for (var number = 1; number <= 5; number++)
        {
            await Eventually.TrueAsync(async () => await SubscriptionsAsync() == (1, 1), Deadline, "the subscription", Cancelled);
            var (id, _) = await FindAsync();

            // One behind the other on one connection: nobody can have subscribed in between.
            var killing = _log.Database.ExecuteAsync("CLIENT", "KILL", "ID", id!);
            var appending = _log.AppendNumbersAsync(_stream, number, 1);
            Assert.Equal(1, (int)await killing);
            await appending;

            Assert.Equal(number, (await client.ReadEventAsync()).Number);
        }
    }

    [Fact]
    public async Task Client_takes_over_while_it_cannot_be_opened_and_gives_back()
    {
        await using var client = await OpenAsync();
        var (id, _) = await FindAsync();
        await _log.Database.ExecuteAsync("CONFIG", "SET", "maxclients", "1");
        await _log.Database.ExecuteAsync("CLIENT", "KILL", "ID", id!);
        await Eventually.TrueAsync(async () => await SubscriptionsAsync() == (1, 0), Deadline, "the client to take over", Cancelled);
        await _log.AppendNumbersAsync(_stream, 1, 1);
        Assert.Equal(1, (await client.ReadEventAsync()).Number);

        await _log.Database.ExecuteAsync("CONFIG", "SET", "maxclients", "10000");
        await Eventually.TrueAsync(async () => await SubscriptionsAsync() == (1, 1), Deadline, "the client to give back", Cancelled);
        await _log.AppendNumbersAsync(_stream, 2, 1);
        Assert.Equal(2, (await client.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Many_streams_are_all_subscribed_again()
    {
        var streams = Enumerable.Range(0, 1200).Select(number => $"{_stream}-{number}").ToArray();
        await using var clients = new Clients();
        foreach (var some in streams.Chunk(40))
        {
            clients.Add(await _host.OpenAsync($"/events?from=now&{string.Join('&', some.Select(stream => $"stream={stream}"))}"));
        }

        await Eventually.TrueAsync(async () => (await FindAsync()).Channels == streams.Length, Deadline, "all subscriptions", Cancelled);
        var (id, _) = await FindAsync();
        await _log.Database.ExecuteAsync("CLIENT", "KILL", "ID", id!);

        await Eventually.TrueAsync(
            async () => await FindAsync() is var found && found.Id is not null && found.Id != id && found.Channels == streams.Length,
            Deadline,
            "all subscriptions again",
            Cancelled);
    }

    [Fact]
    public async Task Option_leaves_all_to_the_client()
    {
        await using var host = await StreamApiHost.StartAsync(
            _redis.ConnectionString, "--Delivery:TailCheckInterval=00:01:00", "--HotLog:DirectConnection=false");
        await using var client = await host.OpenAsync($"/streams/{_stream}/events");
        await client.ReadControlAsync("stream.caught-up");

        Assert.Equal((1, 0), await SubscriptionsAsync());
        await _log.AppendNumbersAsync(_stream, 1, 1);
        Assert.Equal(1, (await client.ReadEventAsync()).Number);
    }

    private async Task<SseClient> OpenAsync()
    {
        var client = await _host.OpenAsync($"/streams/{_stream}/events");
        await client.ReadControlAsync("stream.caught-up");
        return client;
    }

    /// <summary>Subscriptions of the stream's channel, and channels of the connection for wakes.</summary>
    private async Task<(int All, int Direct)> SubscriptionsAsync()
    {
        var counted = (RedisResult[])(await _log.Database.ExecuteAsync("PUBSUB", "NUMSUB", StreamKeys.WakeChannel(_stream)))!;
        return ((int)counted[1], (await FindAsync()).Channels);
    }

    /// <summary>The connection for wakes: its id, and how many channels it has.</summary>
    private async Task<(string? Id, int Channels)> FindAsync()
    {
        var list = (string)(await _log.Database.ExecuteAsync("CLIENT", "LIST"))!;
        if (list.Split('\n').FirstOrDefault(line => line.Contains(" name=reader-wakes ", StringComparison.Ordinal)) is not { } line)
        {
            return (null, 0);
        }

        var fields = line.Split(' ').Select(field => field.Split('=', 2)).Where(field => field.Length == 2).ToDictionary(field => field[0], field => field[1]);
        return (fields["id"], int.Parse(fields["sub"], CultureInfo.InvariantCulture));
    }

    private sealed class Clients : IAsyncDisposable
    {
        private readonly List<SseClient> _clients = [];

        public void Add(SseClient client) => _clients.Add(client);

        public async ValueTask DisposeAsync()
        {
            foreach (var client in _clients)
            {
                await client.DisposeAsync();
            }
        }
    }
}
