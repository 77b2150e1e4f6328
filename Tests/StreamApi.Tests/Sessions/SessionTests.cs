using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>What a session does, on both transports.</summary>
public sealed class SessionTests(SharedHost shared)
{
    public static TheoryData<string> Transports => ["ws", "grpc"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Subscribe_old_and_live_events_come_in_order_and_the_end_ends_the_subscription_only(string transport)
    {
        var stream = TestLog.NewStream();
        await shared.Log.AppendNumbersAsync(stream, 1, 3);
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);

        await client.SubscribeAsync("1", stream, "start");
        var subscribed = await client.ReadAsync();
        var old = await client.ReadEventsAsync(3);
        var caughtUp = await client.ReadAsync();
        await shared.Log.AppendNumbersAsync(stream, 4, 1);
        await shared.Log.AppendAsync(stream, shared.Log.Event("WORKFLOW_COMPLETED", "5"));
        var live = await client.ReadEventsAsync(2);
        var end = await client.ReadAsync();

        Assert.Equal(("subscribed", "1", "0-0"), (subscribed.Type, subscribed.Sub, subscribed.Position));
        Assert.Equal(["1", "2", "3", "4", "5"], old.Concat(live).Select(item => item.Data));
        Assert.All(old, item => Assert.Equal("1", item.Sub));
        Assert.Equal("stream.caught-up", caughtUp.Name);
        Assert.Equal(("control", "stream.end", "1"), (end.Type, end.Name, end.Sub));
        Assert.Equal(stream, end.Body.GetProperty("data").GetProperty("stream").GetString());
        Assert.Empty(await client.ReadUntilPongAsync());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Subscribe_from_now_says_where_it_starts(string transport)
    {
        var stream = TestLog.NewStream();
        var last = (await shared.Log.AppendNumbersAsync(stream, 1, 3)).Last;
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);

        await client.SubscribeAsync("1", stream, "now");
        var subscribed = await client.ReadAsync("subscribed");
        await shared.Log.AppendNumbersAsync(stream, 4, 1);

        Assert.Equal(last.ToString(), subscribed.Position);
        Assert.Equal("4", (await client.ReadAsync("event")).Data);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Subscribe_many_streams_each_gets_its_own_and_a_filter_is_obeyed(string transport)
    {
        string[] streams = [TestLog.NewStream(), TestLog.NewStream(), TestLog.NewStream()];
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        foreach (var stream in streams)
        {
            await shared.Log.AppendAsync(stream, shared.Log.Event("A", "1"), shared.Log.Event("B", "2"));
            await client.SubscribeAsync(stream, stream, "start", types: ["B"]);
        }

        var events = new List<SessionMessage>();
        while (events.Count < 3)
        {
            var message = await client.ReadAsync();
            if (message.Type == "event")
            {
                events.Add(message);
            }
        }

        Assert.Equal(streams.Order(), events.Select(item => item.Sub).Order());
        Assert.All(events, item => Assert.Equal("2", item.Data));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Many_subscriptions_of_a_client_that_reads_late_each_get_everything_in_order(string transport)
    {
        // Far more than buffers and sockets hold: delivery waits for the client again and again.
        const int Subscriptions = 40;
        const int Events = 500;
        var stream = TestLog.NewStream();
        var pad = new string('x', 800);
        for (var first = 0; first < Events; first += 100)
        {
            await shared.Log.AppendAsync(
                stream, [.. Enumerable.Range(first, 100).Select(number => shared.Log.Event("T", $$"""{"n":{{number}},"pad":"{{pad}}"}"""))]);
        }

        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        for (var sub = 0; sub < Subscriptions; sub++)
        {
            await client.SubscribeAsync($"{sub}", stream, "start");
        }

        await client.PingAsync();
        var next = new Dictionary<string, int>();
        while (next.Count < Subscriptions || next.Values.Any(count => count < Events))
        {
            var message = await client.ReadAsync();
            if (message.Type == "event")
            {
                var expected = next.GetValueOrDefault(message.Sub);
                Assert.StartsWith($$"""{"n":{{expected}},""", message.Data, StringComparison.Ordinal);
                Assert.EndsWith($"-{expected + 1}", message.Position, StringComparison.Ordinal);
                next[message.Sub] = expected + 1;
            }
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_full_window_pauses_its_subscription_only_and_acks_are_cumulative(string transport)
    {
        string slow = TestLog.NewStream(), fast = TestLog.NewStream();
        await shared.Log.AppendNumbersAsync(slow, 1, 100);
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);

        await client.SubscribeAsync("slow", slow, "start", window: 20);
        await client.ReadAsync("subscribed");
        var first = await client.ReadEventsAsync(20);
        Assert.Empty(await client.ReadUntilPongAsync());

        await client.SubscribeAsync("fast", fast, "start", window: 0);
        await client.ReadAsync("subscribed");
        await shared.Log.AppendNumbersAsync(fast, 1, 30);
        Assert.All(await client.ReadEventsAsync(30), item => Assert.Equal("fast", item.Sub));

        await client.AckAsync("slow", first[9].Position);
        var second = await client.ReadEventsAsync(10);
        Assert.Empty(await client.ReadUntilPongAsync());

        await client.AckAsync("slow", second[^1].Position);
        var third = await client.ReadEventsAsync(20);
        Assert.Empty(await client.ReadUntilPongAsync());
        Assert.Equal(Enumerable.Range(1, 50), first.Concat(second).Concat(third).Select(item => int.Parse(item.Data, null)));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task The_adaptive_window_is_the_default_and_grows_with_acknowledgements(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        await client.SubscribeAsync("1", stream, "start", window: null);
        var subscribed = await client.ReadAsync("subscribed");
        for (var batch = 0; batch < 4; batch++)
        {
            await shared.Log.AppendNumbersAsync(stream, (batch * 1000) + 1, 1000);
        }

        for (var number = 1; number <= 4000; number++)
        {
            var item = await client.ReadAsync("event");
            Assert.Equal(number, item.Body.GetProperty("event").GetProperty("sequence").GetInt64());
            if (number % 8 == 0)
            {
                await client.AckAsync("1", item.Position);
            }
        }

        Assert.Equal(1_024, subscribed.Body.GetProperty("window").GetInt32());
        Assert.True(subscribed.Body.GetProperty("adaptive").GetBoolean());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Resume_the_window_begins_anew_and_nothing_is_missed_or_repeated(string transport)
    {
        var stream = TestLog.NewStream();
        await shared.Log.AppendNumbersAsync(stream, 1, 30);
        string position;
        await using (var client = await SessionClient.OpenAsync(transport, shared.Host))
        {
            await client.SubscribeAsync("1", stream, "start", window: 10);
            await client.ReadAsync("subscribed");
            position = (await client.ReadEventsAsync(10))[6].Position;
        }

        await using var again = await SessionClient.OpenAsync(transport, shared.Host);
        await again.SubscribeAsync("1", stream, position, window: 10);
        await again.ReadAsync("subscribed");

        Assert.Equal(Enumerable.Range(8, 10), (await again.ReadEventsAsync(10)).Select(item => int.Parse(item.Data, null)));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Errors_of_a_subscription_leave_the_session_and_the_others_alone(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        await client.SubscribeAsync("1", stream, "start");
        await client.ReadAsync("subscribed");
        await client.ReadAsync("control");

        await client.SubscribeAsync("1", stream, "start");
        var repeated = await client.ReadAsync("error");
        await client.SubscribeAsync("2", "a b");
        var badStream = await client.ReadAsync("error");
        await client.SubscribeAsync("2", stream, "yesterday");
        var badFrom = await client.ReadAsync("error");
        await client.SubscribeAsync("2", stream, policy: "sometimes");
        var badPolicy = await client.ReadAsync("error");
        await client.SubscribeAsync("2", stream, window: 200_000);
        var badWindow = await client.ReadAsync("error");
        await client.AckAsync("nobody", "1-1");
        var unknown = await client.ReadAsync("error");
        await client.UnsubscribeAsync("nobody");
        var unknownToo = await client.ReadAsync("error");
        await client.SubscribeAsync("", stream);
        var nameless = await client.ReadAsync("error");
        await shared.Log.AppendNumbersAsync(stream, 1, 1);

        Assert.Equal((409, "1"), (repeated.Status, repeated.Sub));
        Assert.All([badStream, badFrom, badPolicy, badWindow], error => Assert.Equal((400, "2"), (error.Status, error.Sub)));
        Assert.Contains("from", badFrom.Text("title"), StringComparison.Ordinal);
        Assert.Equal((404, "nobody"), (unknown.Status, unknown.Sub));
        Assert.Equal(404, unknownToo.Status);
        Assert.Equal((400, ""), (nameless.Status, nameless.Sub));
        Assert.Equal("1", (await client.ReadAsync("event")).Sub);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Unsubscribe_ends_delivery_and_frees_the_name(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        await client.SubscribeAsync("1", stream, "start");
        await client.ReadAsync("subscribed");
        await client.ReadAsync("control");
        var feed = shared.Host.Get<StreamApi.Delivery.FeedRegistry>().Find(stream)!;
        Assert.Equal(1, feed.Readers);

        await client.UnsubscribeAsync("1");
        Assert.Empty(await client.ReadUntilPongAsync());
        Assert.Equal(0, feed.Readers);
        await shared.Log.AppendNumbersAsync(stream, 1, 1);
        await client.SubscribeAsync("1", stream, "start");

        Assert.Equal("subscribed", (await client.ReadAsync()).Type);
        Assert.Equal("1", (await client.ReadAsync("event")).Data);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Acknowledgements_after_the_end_of_a_stream_are_no_error(string transport)
    {
        var stream = TestLog.NewStream();
        await shared.Log.AppendAsync(stream, shared.Log.Event(), shared.Log.Event("STREAM_END"));
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        await client.SubscribeAsync("1", stream, "start", window: 10);
        await client.ReadAsync("subscribed");
        var events = await client.ReadEventsAsync(2);
        Assert.Equal("stream.end", (await client.ReadAsync("control")).Name);

        await client.AckAsync("1", events[0].Position);
        await client.AckAsync("1", events[1].Position);
        Assert.Empty(await client.ReadUntilPongAsync());
        await client.SubscribeAsync("1", TestLog.NewStream(), "start");

        Assert.Equal("subscribed", (await client.ReadAsync()).Type);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_subscription_too_many_is_refused(string transport)
    {
        await using var host = await StreamApiHost.StartAsync(shared.Redis, "--Sessions:MaxSubscriptions=3");
        await using var client = await SessionClient.OpenAsync(transport, host);
        var stream = TestLog.NewStream();
        for (var index = 0; index < 3; index++)
        {
            await client.SubscribeAsync($"{index}", stream, "start");
        }

        await client.SubscribeAsync("3", stream, "start");
        var messages = await client.ReadUntilPongAsync();
        await client.UnsubscribeAsync("0");
        await client.SubscribeAsync("4", stream, "start");

        Assert.Equal((429, "3"), messages.Where(message => message.Type == "error").Select(error => (error.Status, error.Sub)).Single());
        Assert.Equal("4", (await client.ReadAsync("subscribed")).Sub);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Policy_drop_announces_what_a_paused_subscription_skipped(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        await client.SubscribeAsync("1", stream, "start", window: 5, policy: "drop", lag: 10);
        await client.ReadAsync("subscribed");
        await client.ReadAsync("control");
        await shared.Log.AppendNumbersAsync(stream, 1, 5);
        var first = await client.ReadEventsAsync(5);
        await shared.Log.AppendNumbersAsync(stream, 6, 100);
        Assert.Empty(await client.ReadUntilPongAsync());

        await client.AckAsync("1", first[^1].Position);
        var dropped = await client.ReadAsync("control");
        await shared.Log.AppendNumbersAsync(stream, 106, 1);

        Assert.Equal(("stream.dropped", "1"), (dropped.Name, dropped.Sub));
        Assert.Equal(100, dropped.Body.GetProperty("data").GetProperty("missed").GetInt64());
        Assert.Equal("106", (await client.ReadAsync("event")).Data);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Policy_disconnect_ends_a_subscription_that_never_acknowledges(string transport)
    {
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        await client.SubscribeAsync("1", stream, "start", window: 5, policy: "disconnect", lag: 10);
        await client.ReadAsync("subscribed");
        await client.ReadAsync("control");
        await shared.Log.AppendNumbersAsync(stream, 1, 5);
        await client.ReadEventsAsync(5);

        await shared.Log.AppendNumbersAsync(stream, 6, 100);
        var drain = await client.ReadAsync("control");

        Assert.Equal(("stream.drain", "1"), (drain.Name, drain.Sub));
        Assert.Equal("lag", drain.Body.GetProperty("data").GetProperty("reason").GetString());
        Assert.Empty(await client.ReadUntilPongAsync());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task The_sessions_own_limit_pauses_all_that_wait_for_acknowledgements(string transport)
    {
        await using var host = await StreamApiHost.StartAsync(shared.Redis, "--Sessions:MaxInFlight=16");
        await using var client = await SessionClient.OpenAsync(transport, host);
        string[] streams = [TestLog.NewStream(), TestLog.NewStream()];
        foreach (var stream in streams)
        {
            await shared.Log.AppendNumbersAsync(stream, 1, 100);
            await client.SubscribeAsync(stream, stream, "start", window: 50);
        }

        var received = (await client.ReadUntilPongAsync()).Where(message => message.Type == "event").ToList();
        while (received.Count < 16)
        {
            received.Add(await client.ReadAsync("event"));
        }

        Assert.Empty(await client.ReadUntilPongAsync());
        while (received.Count < 200)
        {
            var acknowledged = received.GroupBy(item => item.Sub).Select(own => own.Last()).ToArray();
            foreach (var item in acknowledged)
            {
                await client.AckAsync(item.Sub, item.Position);
            }

            received.Add(await client.ReadAsync("event"));
            received.AddRange((await client.ReadUntilPongAsync()).Where(message => message.Type == "event"));
        }

        Assert.Equal(200, received.Select(item => (item.Sub, item.Position)).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task An_idle_session_is_drained(string transport)
    {
        await using var host = await StreamApiHost.StartAsync(
            shared.Redis, "--Sessions:IdleTimeout=00:00:00.300", "--Delivery:Heartbeat=00:00:00.100");
        await using var client = await SessionClient.OpenAsync(transport, host);

        var drain = await client.ReadAsync();

        Assert.Equal(("control", "stream.drain", ""), (drain.Type, drain.Name, drain.Sub));
        Assert.Equal("idle", drain.Body.GetProperty("data").GetProperty("reason").GetString());
        Assert.Null(await client.TryReadAsync());
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_stopping_service_drains_its_sessions_at_once(string transport)
    {
        await using var host = await StreamApiHost.StartAsync(shared.Redis);
        var stream = TestLog.NewStream();
        await using var client = await SessionClient.OpenAsync(transport, host);
        await client.SubscribeAsync("1", stream, "start", window: null);
        await client.ReadAsync("subscribed");
        await client.ReadAsync("control");

        var stopping = host.StopAsync();
        var drain = await client.ReadAsync("control");

        Assert.Equal(("stream.drain", ""), (drain.Name, drain.Sub));
        Assert.Equal("shutdown", drain.Body.GetProperty("data").GetProperty("reason").GetString());
        Assert.InRange(drain.Body.GetProperty("data").GetProperty("retryMs").GetInt32(), 1_000, 5_000);
        Assert.Null(await client.TryReadAsync());
        await stopping.WaitAsync(TimeSpan.FromSeconds(5), TimeProvider.System, Cancel);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_client_that_is_done_ends_the_session_and_nothing_is_left(string transport)
    {
        var stream = TestLog.NewStream();
        var client = await SessionClient.OpenAsync(transport, shared.Host);
        await client.SubscribeAsync("1", stream, "start");
        await client.ReadAsync("subscribed");
        var feed = shared.Host.Get<StreamApi.Delivery.FeedRegistry>().Find(stream)!;

        await client.ReadAsync("control");
        await client.CompleteAsync();

        Assert.Null(await client.TryReadAsync());
        await Eventually.TrueAsync(() => feed.Readers == 0, SseClient.Patience, "the reader is gone", Cancel);
        await client.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_client_that_vanishes_leaves_nothing_behind(string transport)
    {
        var stream = TestLog.NewStream();
        var client = await SessionClient.OpenAsync(transport, shared.Host);
        await client.SubscribeAsync("1", stream, "start");
        await client.ReadAsync("subscribed");
        var feed = shared.Host.Get<StreamApi.Delivery.FeedRegistry>().Find(stream)!;
        var registry = shared.Host.Get<StreamApi.Connections.ConnectionRegistry>();
        var session = registry.All.OfType<Session>().Single(open => open.Subscriptions.All.Any(own => own.Stream == stream));

        await client.DisposeAsync();

        await Eventually.TrueAsync(() => feed.Readers == 0, SseClient.Patience, "the reader is gone", Cancel);
        await Eventually.TrueAsync(() => !registry.All.Contains(session), SseClient.Patience, "the session is gone", Cancel);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Publish_without_a_publisher_api_is_an_error_of_that_publish(string transport)
    {
        await using var host = await StreamApiHost.StartAsync(
            shared.Redis, "--services:publisher-api:http:0=http://127.0.0.1:1", "--Sessions:PublishRetryDelay=00:00:00.010");
        await using var client = await SessionClient.OpenAsync(transport, host);

        await client.PublishAsync("p", [TestLog.NewStream()], ["1"]);
        var error = await client.ReadAsync("error");

        Assert.Equal((503, "p"), (error.Status, error.Sub));
        Assert.Empty(await client.ReadUntilPongAsync());
    }
}
