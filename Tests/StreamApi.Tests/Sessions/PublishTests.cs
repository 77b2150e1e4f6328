using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.StreamApi.Tests.Tiers;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>Publishes through a session, forwarded to a real Publisher API.</summary>
public sealed class PublishTests(ArchiveWorld world)
{
    public static TheoryData<string> Transports => ["ws", "grpc"];

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Publish_appends_and_answers_with_positions(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, world.Host);
        await client.SubscribeAsync("s", stream, "start");
        await client.ReadAsync("subscribed");
        await client.ReadAsync("control");

        await client.PublishAsync("p", [stream], ["1", "{\"a\":2}"]);
        var messages = new List<SessionMessage> { await client.ReadAsync(), await client.ReadAsync(), await client.ReadAsync() };

        var result = Assert.Single(messages, message => message.Type == "published").Body.GetProperty("results")[0];
        var events = messages.Where(message => message.Type == "event").ToArray();
        Assert.Equal(["1", "{\"a\":2}"], events.Select(item => item.Data));
        Assert.Equal(stream, result.GetProperty("stream").GetString());
        Assert.Equal(200, result.GetProperty("status").GetInt32());
        Assert.Equal(2, result.GetProperty("accepted").GetInt32());
        Assert.Equal(events[0].Position, result.GetProperty("first").GetString());
        Assert.Equal(events[1].Position, result.GetProperty("last").GetString());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Publish_of_known_ids_is_a_duplicate(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, world.Host);

        await client.PublishAsync("1", [stream], ["1"], id: "x");
        var first = (await client.ReadAsync("published")).Body.GetProperty("results")[0];
        await client.PublishAsync("1", [stream], ["1"], id: "x");
        var second = (await client.ReadAsync("published")).Body.GetProperty("results")[0];

        Assert.Equal(1, second.GetProperty("duplicates").GetInt32());
        Assert.Equal(first.GetProperty("first").GetString(), second.GetProperty("first").GetString());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Publish_to_several_streams_answers_for_each_also_where_one_fails(string transport)
    {
        string[] streams = [TestLog.NewStream(), TestLog.NewStream(), TestLog.NewStream()];
        await world.Log.AppendAsync(streams[1], world.Log.Event("STREAM_END"));
        await using var client = await SessionClient.OpenAsync(transport, world.Host);

        await client.PublishAsync("p", streams, ["1", "2"]);
        var results = (await client.ReadAsync("published")).Body.GetProperty("results").EnumerateArray().ToArray();
        await client.SubscribeAsync("a", streams[0], "start");
        await client.ReadAsync("subscribed");
        var first = (await client.ReadEventsAsync(2))[0];
        await client.SubscribeAsync("c", streams[2], "start");
        await client.ReadAsync("control");
        await client.ReadAsync("subscribed");
        var third = (await client.ReadEventsAsync(2))[0];

        Assert.Equal(streams, results.Select(result => result.GetProperty("stream").GetString()));
        Assert.Equal([200, 409, 200], results.Select(result => result.GetProperty("status").GetInt32()));
        Assert.Contains("ended", results[1].GetProperty("title").GetString(), StringComparison.Ordinal);
        Assert.Equal(
            first.Body.GetProperty("event").GetProperty("id").GetString(), third.Body.GetProperty("event").GetProperty("id").GetString());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Publish_refused_by_the_publisher_api_is_an_error_with_its_status(string transport)
    {
        var stream = TestLog.NewStream();
        var last = (await world.Log.AppendNumbersAsync(stream, 1, 1)).Last;
        await using var client = await SessionClient.OpenAsync(transport, world.Host);

        await client.PublishAsync("p", [stream], ["1"], expected: "0-0");
        var mismatch = await client.ReadAsync("error");
        await client.PublishAsync("p", [stream], ["2"], expected: last.ToString());
        var fitting = await client.ReadAsync("published");
        await client.PublishAsync("p", ["a b"], ["1"]);
        var badName = await client.ReadAsync("error");
        await client.PublishAsync("p", [stream], ["1"], expected: "x");
        var badExpected = await client.ReadAsync("error");
        await client.PublishAsync("p", [stream], []);
        var empty = await client.ReadAsync("error");

        Assert.Equal((409, "p"), (mismatch.Status, mismatch.Sub));
        Assert.Equal(last.ToString(), mismatch.Text("current"));
        Assert.Equal(200, fitting.Body.GetProperty("results")[0].GetProperty("status").GetInt32());
        Assert.Equal((400, "p"), (badName.Status, badName.Sub));
        Assert.Equal(400, badExpected.Status);
        Assert.Equal(400, empty.Status);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Publishes_to_one_stream_keep_their_order_without_waiting_for_answers(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, world.Host);
        for (var number = 1; number <= 40; number++)
        {
            await client.PublishAsync($"p{number}", [stream], [$"{number}"]);
        }

        for (var number = 1; number <= 40; number++)
        {
            Assert.Equal($"p{number}", (await client.ReadAsync("published")).Sub);
        }

        await client.SubscribeAsync("s", stream, "start");
        await client.ReadAsync("subscribed");
        Assert.Equal(Enumerable.Range(1, 40).Select(number => $"{number}"), (await client.ReadEventsAsync(40)).Select(item => item.Data));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Publish_archived_is_answered_when_the_archive_has_it(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, world.Host);

        await client.PublishAsync("p", [stream], ["1"], durability: "archived");
        var result = (await client.ReadAsync("published")).Body.GetProperty("results")[0];

        Assert.Equal(200, result.GetProperty("status").GetInt32());
        Assert.NotNull(await world.Archive.ReadStreamAsync(stream, TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Too_many_publishes_at_a_time_are_refused_and_the_rest_goes_on(string transport)
    {
        await using var host = await world.StartHostAsync("--Sessions:MaxPublishes=1");
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, host);
        for (var number = 0; number < 20; number++)
        {
            await client.PublishAsync($"p{number}", [stream], [$"{number}"]);
        }

        var answers = new List<SessionMessage>();
        while (answers.Count < 20)
        {
            answers.Add(await client.ReadAsync());
        }

        Assert.Contains(answers, answer => answer.Type == "published");
        Assert.All(answers.Where(answer => answer.Type != "published"), answer => Assert.Equal(429, answer.Status));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Publishes_beyond_the_memory_limit_are_refused_in_all_sessions(string transport)
    {
        // A Publisher API that answers nothing, so that what is under way stays so.
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var host = await world.StartHostAsync(
            $"--services:publisher-api:http:0=http://{silent.LocalEndpoint}", $"--Sessions:MaxPublishBytes={1 << 20}");
        await using var first = await SessionClient.OpenAsync(transport, host);
        await using var second = await SessionClient.OpenAsync(transport, host);
        var data = $"\"{new string('x', 600_000)}\"";

        await first.PublishAsync("p", [TestLog.NewStream()], [data]);
        await first.ReadUntilPongAsync();
        await second.PublishAsync("q", [TestLog.NewStream()], [data]);
        var refused = await second.ReadAsync();

        Assert.Equal(("error", "q", 429), (refused.Type, refused.Sub, refused.Status));
    }

    [Fact]
    public async Task Publish_over_a_websocket_keeps_events_as_they_are_written()
    {
        var stream = TestLog.NewStream();
        await using var client = await WebSocketSessionClient.OpenAsync(world.Host.Http);

        await client.SendAsync(
            $$$"""
              {"events": [{"type": "T", "critical": true, "data": {"big": 12345678901234567890, "b": 1, "a": "\u00e9"}},
                          {"specversion": "1.0", "type": "T", "id": "mine", "datacontenttype": "text/plain", "data": "text"}],
               "sub": "p", "stream": "{{{stream}}}", "type": "publish"}
              """);
        await client.ReadAsync("published");
        await client.SubscribeAsync("s", stream, "start");
        await client.ReadAsync("subscribed");
        var events = (await client.ReadEventsAsync(2)).Select(item => item.Body.GetProperty("event")).ToArray();

        Assert.Equal("""{"big":12345678901234567890,"b":1,"a":"\u00e9"}""", events[0].GetProperty("data").GetRawText());
        Assert.Equal(JsonValueKind.True, events[0].GetProperty("critical").ValueKind);
        Assert.Equal("mine", events[1].GetProperty("id").GetString());
        Assert.Equal("text", events[1].GetProperty("data").GetString());
    }
}
