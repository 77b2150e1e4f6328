using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.StreamApi.Tests.Tiers;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.TestSupport;
using Npgsql;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>Durable cursors, with PostgreSQL.</summary>
public sealed class DurableCursorTests(ArchiveWorld world)
{
    private readonly string _stream = TestLog.NewStream();
    private readonly string _cursor = $"c-{Guid.NewGuid():N}";

    public static TheoryData<string> Transports => ["ws", "grpc"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_consumer_that_comes_back_goes_on_after_what_it_acknowledged(string transport)
    {
        await world.Log.AppendNumbersAsync(_stream, 1, 10);
        await using (var client = await SessionClient.OpenAsync(transport, world.Host))
        {
            await client.SubscribeAsync("1", _stream, window: 100, cursor: _cursor);
            Assert.Equal("0-0", (await client.ReadAsync("subscribed")).Position);
            await client.AckAsync("1", (await client.ReadEventsAsync(10))[5].Position);
            await client.CompleteAsync();
            while (await client.TryReadAsync() is not null)
            {
            }
        }

        await using var again = await SessionClient.OpenAsync(transport, world.Host);
        await again.SubscribeAsync("1", _stream, window: 100, cursor: _cursor);
        await again.ReadAsync("subscribed");

        Assert.Equal(["7", "8", "9", "10"], (await again.ReadEventsAsync(4)).Select(item => item.Data));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_start_that_is_given_wins_and_the_cursor_follows(string transport)
    {
        await world.Log.AppendNumbersAsync(_stream, 1, 10);
        await using var client = await SessionClient.OpenAsync(transport, world.Host);
        await client.SubscribeAsync("1", _stream, window: 100, cursor: _cursor);
        await client.ReadAsync("subscribed");
        await client.AckAsync("1", (await client.ReadEventsAsync(10))[8].Position);
        await client.UnsubscribeAsync("1");

        await client.SubscribeAsync("2", _stream, "start", window: 100, cursor: _cursor);
        await client.ReadAsync("subscribed");
        var events = await client.ReadEventsAsync(10);
        await client.AckAsync("2", events[1].Position);
        await client.UnsubscribeAsync("2");
        await client.SubscribeAsync("3", _stream, window: 100, cursor: _cursor);

        Assert.Equal(events[1].Position, (await client.ReadAsync("subscribed")).Position);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_newer_holder_on_the_same_replica_takes_over_and_the_older_is_told(string transport)
    {
        await world.Log.AppendNumbersAsync(_stream, 1, 3);
        await using var older = await SessionClient.OpenAsync(transport, world.Host);
        await older.SubscribeAsync("old", _stream, window: 100, cursor: _cursor);
        await older.ReadAsync("subscribed");
        await older.AckAsync("old", (await older.ReadEventsAsync(3))[1].Position);
        await older.ReadUntilPongAsync();

        await using var newer = await SessionClient.OpenAsync(transport, world.Host);
        await newer.SubscribeAsync("new", _stream, window: 100, cursor: _cursor);
        await newer.ReadAsync("subscribed");
        var error = await older.ReadAsync("error");

        Assert.Equal((409, "old"), (error.Status, error.Sub));
        Assert.True(error.Body.GetProperty("ended").GetBoolean());
        Assert.Equal("3", (await newer.ReadAsync("event")).Data);
        Assert.Empty(await older.ReadUntilPongAsync());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_newer_holder_on_another_replica_takes_over_and_the_older_is_told(string transport)
    {
        string[] settings = ["--Sessions:CursorFlushInterval=00:00:00.050", "--Sessions:CursorCheckInterval=00:00:00.100"];
        await using var one = await world.StartHostAsync(settings);
        await using var two = await world.StartHostAsync(settings);
        await world.Log.AppendNumbersAsync(_stream, 1, 3);
        await using var older = await SessionClient.OpenAsync(transport, one);
        await older.SubscribeAsync("old", _stream, window: 100, cursor: _cursor);
        await older.ReadAsync("subscribed");
        var events = await older.ReadEventsAsync(3);
        await older.AckAsync("old", events[1].Position);
        await EventuallyStoredAsync(StreamPosition.Parse(System.Text.Encoding.ASCII.GetBytes(events[1].Position)));

        await using var newer = await SessionClient.OpenAsync(transport, two);
        await newer.SubscribeAsync("new", _stream, window: 100, cursor: _cursor);
        await newer.ReadAsync("subscribed");

        Assert.Equal("3", (await newer.ReadAsync("event")).Data);
        Assert.Equal((409, "old"), await older.ReadAsync("error") is var error ? (error.Status, error.Sub) : default);
        await older.AckAsync("old", events[2].Position);
        Assert.Equal(404, (await older.ReadAsync("error")).Status);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Events_that_the_consumer_does_not_want_move_the_cursor_too(string transport)
    {
        await using var host = await world.StartHostAsync(
            "--Delivery:Heartbeat=00:00:00.050", "--Delivery:PositionInterval=00:00:00.050", "--Sessions:CursorFlushInterval=00:00:00.050");
        await using var client = await SessionClient.OpenAsync(transport, host);
        await client.SubscribeAsync("1", _stream, window: 100, cursor: _cursor, types: ["WANTED"]);
        await client.ReadAsync("subscribed");
        await client.ReadAsync("control");

        var last = (await world.Log.AppendNumbersAsync(_stream, 1, 5)).Last;

        await EventuallyStoredAsync(last);
    }

    [Fact]
    public async Task Without_a_database_a_cursor_is_an_error_of_its_subscription()
    {
        await using var host = await StreamApiHost.StartAsync(world.Redis.ConnectionString);
        await using var client = await WebSocketSessionClient.OpenAsync(host.Http);

        await client.SubscribeAsync("1", _stream, cursor: _cursor);
        var error = await client.ReadAsync("error");
        await client.SubscribeAsync("1", _stream);

        Assert.Equal((503, "1"), (error.Status, error.Sub));
        Assert.Equal("subscribed", (await client.ReadAsync()).Type);
    }

    private async Task EventuallyStoredAsync(StreamPosition position)
    {
        await using var dataSource = NpgsqlDataSource.Create(world.Events);
        await Eventually.TrueAsync(
            async () =>
            {
                await using var command = dataSource.CreateCommand("select epoch, seq from cursors where name = $1 and epoch is not null");
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _cursor });
                await using var reader = await command.ExecuteReaderAsync(Cancel);
                return await reader.ReadAsync(Cancel) && new StreamPosition(reader.GetInt64(0), reader.GetInt64(1)) == position;
            },
            SseClient.Patience,
            $"the cursor is stored at {position}",
            Cancel);
    }
}
