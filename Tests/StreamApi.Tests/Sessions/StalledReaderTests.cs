using System.Globalization;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;
using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>Clients that don't read, or read everything, and what that does to the server and to others.</summary>
public sealed class StalledReaderTests(SharedHost shared)
{
    private const int Events = 400;
    private const int EventBytes = 64 << 10;

    public static TheoryData<string> Transports => ["ws", "grpc"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_stalled_reader_takes_no_memory_holds_up_nobody_and_misses_nothing(string transport)
    {
        var stream = TestLog.NewStream();
        await using var host = await StreamApiHost.StartAsync(shared.Redis);
        await using var stalled = await SessionClient.OpenAsync(transport, host);
        await stalled.SubscribeAsync("1", stream, "start", window: 0);
        await stalled.ReadAsync("subscribed");
        var session = host.Get<ConnectionRegistry>().All.OfType<Session>().Single();
        var data = $"\"{new string('x', EventBytes)}\"";
        for (var batch = 0; batch < Events / 20; batch++)
        {
            await shared.Log.AppendAsync(stream, [.. Enumerable.Range(0, 20).Select(_ => shared.Log.Event(data: data))]);
        }

        await using var other = await SessionClient.OpenAsync(transport, host);
        await other.SubscribeAsync("1", stream, "start", window: 0);
        await other.ReadAsync("subscribed");
        await other.ReadEventsAsync(Events);

        // What left the session sits in the sockets' buffers, or in HTTP/2's window; the rest stays in the log.
        Assert.InRange(session.Bytes, 1, (long)Events * EventBytes * 2 / 3);
        Assert.True(session.Followers.Single().Lag > Events / 4);

        // Its pings are read as long as their answers find room, and then wait with everything else.
        for (var count = 0; count < 50; count++)
        {
            await stalled.PingAsync();
        }

        for (var number = 1; number <= Events; number++)
        {
            SessionMessage message;
            do
            {
                message = await stalled.ReadAsync();
            }
            while (message.Type != "event");

            Assert.Equal(number, message.Body.GetProperty("event").GetProperty("sequence").GetInt64());
        }
    }

    /// <summary>HTTP/2 takes 64 KiB of a client that does not read: the first batch of 60,000 bytes and a part of the second.</summary>
    [Theory]
    [InlineData(1, 4)]
    [InlineData(3, 6)]
    public async Task A_stalled_grpc_reader_of_several_subscriptions_has_one_more_batch_ready_and_no_more(int subscriptions, int written)
    {
        const int Count = 10;
        var stream = TestLog.NewStream();
        var data = $"\"{new string('x', 30_000)}\"";

        // So small a buffer has one step in it, which is two of these events.
        await using var host = await StreamApiHost.StartAsync(shared.Redis, "--Sessions:BufferBytes=1024");
        await using var client = GrpcSessionClient.Open(host.Grpc);
        for (var sub = 0; sub < subscriptions; sub++)
        {
            await client.SubscribeAsync($"{sub}", stream, "start", window: null);
        }

        for (var message = 0; message < 2 * subscriptions; message++)
        {
            Assert.Contains((await client.ReadAsync()).Type, (string[])["subscribed", "control"]);
        }

        await shared.Log.AppendAsync(stream, [.. Enumerable.Range(0, Count).Select(_ => shared.Log.Event(data: data))]);
        var registry = host.Get<ConnectionRegistry>();
        await Eventually.TrueAsync(
            () => registry.All.OfType<Session>().SingleOrDefault()?.Subscriptions.InFlight >= written, SseClient.Patience, "batches are written", Cancel);
        var session = registry.All.OfType<Session>().Single();
        Assert.Equal(written, session.Subscriptions.InFlight);

        var next = new int[subscriptions];
        while (next.Sum() < Count * subscriptions)
        {
            var message = await client.ReadAsync();
            if (message.Type == "event")
            {
                Assert.Equal(++next[int.Parse(message.Sub, CultureInfo.InvariantCulture)], message.Body.GetProperty("event").GetProperty("sequence").GetInt64());
            }
        }

        Assert.Empty(await client.ReadUntilPongAsync());
    }

    [Fact]
    public async Task A_websocket_that_takes_nothing_for_the_write_timeout_is_cut()
    {
        var stream = TestLog.NewStream();
        await using var host = await StreamApiHost.StartAsync(
            shared.Redis, "--Delivery:WriteTimeout=00:00:00.500", "--Delivery:Heartbeat=00:00:00.200");
        await using var stalled = await WebSocketSessionClient.OpenAsync(host.Http);
        await stalled.SubscribeAsync("1", stream, "start", window: 0);
        await stalled.ReadAsync("subscribed");
        var data = $"\"{new string('x', EventBytes)}\"";
        for (var batch = 0; batch < Events / 20; batch++)
        {
            await shared.Log.AppendAsync(stream, [.. Enumerable.Range(0, 20).Select(_ => shared.Log.Event(data: data))]);
        }

        var registry = host.Get<ConnectionRegistry>();
        await Eventually.TrueAsync(() => !registry.All.Any(), SseClient.Patience, "the connection is cut", Cancel);
    }

    [Fact]
    public async Task Ws_without_an_upgrade_is_426()
    {
        using var answer = await shared.Host.Client.GetAsync(new Uri("/ws", UriKind.Relative), Cancel);

        Assert.Equal(System.Net.HttpStatusCode.UpgradeRequired, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("websocket", answer.Headers.Upgrade.Single().Name);
    }

    [Fact]
    public async Task A_message_that_is_too_long_is_refused_and_the_session_lives_on()
    {
        await using var host = await StreamApiHost.StartAsync(shared.Redis, "--Sessions:MaxFrameBytes=20000");
        await using var client = await WebSocketSessionClient.OpenAsync(host.Http);
        var part = new byte[8_000];
        Array.Fill(part, (byte)' ');

        for (var count = 0; count < 20; count++)
        {
            await client.SendPartAsync(part, last: false);
        }

        await client.SendPartAsync("{}"u8.ToArray(), last: true);
        var tooLong = await client.ReadAsync("error");
        await client.SendPartAsync(part, last: false);
        await client.SendPartAsync("""{"type":"ping"}"""u8.ToArray(), last: true);
        var inParts = await client.ReadAsync();
        await client.SendPartAsync("{}"u8.ToArray(), last: true, System.Net.WebSockets.WebSocketMessageType.Binary);
        var binary = await client.ReadAsync("error");

        Assert.Equal((413, ""), (tooLong.Status, tooLong.Sub));
        Assert.Equal("pong", inParts.Type);
        Assert.Equal(400, binary.Status);
        Assert.Empty(await client.ReadUntilPongAsync());
    }

    [Fact]
    public async Task A_grpc_message_that_is_too_long_ends_the_call_and_one_that_is_none_is_refused()
    {
        await using var host = await StreamApiHost.StartAsync(shared.Redis, "--Sessions:MaxFrameBytes=20000");
        using var channel = GrpcChannel.ForAddress(host.Grpc);
        var method = new Method<byte[], ServerMessage>(
            MethodType.DuplexStreaming,
            Streams.Descriptor.FullName,
            "Session",
            Marshallers.Create(static bytes => bytes, static bytes => bytes),
            Marshallers.Create(static message => message.ToByteArray(), static bytes => ServerMessage.Parser.ParseFrom(bytes)));
        using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(method, null, new CallOptions(cancellationToken: Cancel));

        await call.RequestStream.WriteAsync([0xff, 0xff, 0xff], Cancel);
        await call.ResponseStream.MoveNext(Cancel);
        var refused = call.ResponseStream.Current;
        await call.RequestStream.WriteAsync(new ClientMessage { Ping = new SessionPing() }.ToByteArray(), Cancel);
        await call.ResponseStream.MoveNext(Cancel);
        var pong = call.ResponseStream.Current;
        await call.RequestStream.WriteAsync(new byte[20_001], Cancel);
        var ended = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancel));

        Assert.Equal((400, ""), (refused.Error.Status, refused.Sub));
        Assert.Equal(ServerMessage.MessageOneofCase.Pong, pong.MessageCase);
        Assert.Equal(StatusCode.ResourceExhausted, ended.StatusCode);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task A_thousand_subscriptions_on_one_session_are_served_fairly(string transport)
    {
        const int Streams = 1_000;
        var busy = TestLog.NewStream();
        for (var batch = 0; batch < 10; batch++)
        {
            await shared.Log.AppendNumbersAsync(busy, (batch * 1_000) + 1, 1_000);
        }

        await using var client = await SessionClient.OpenAsync(transport, shared.Host);
        string[] streams = [.. Enumerable.Range(0, Streams - 1).Select(_ => TestLog.NewStream())];
        foreach (var stream in streams)
        {
            await client.SubscribeAsync(stream, stream, "start", window: 0);
        }

        for (var count = 0; count < 2 * streams.Length; count++)
        {
            Assert.NotEqual("error", (await client.ReadAsync()).Type);
        }

        await client.SubscribeAsync("busy", busy, "start", window: 0);
        await Task.WhenAll(streams.Select(stream => shared.Log.AppendNumbersAsync(stream, 1, 1)));
        var others = 0;
        var fromBusy = 0;
        while (others < streams.Length || fromBusy < 10_000)
        {
            var message = await client.ReadAsync();
            others += message.Type == "event" && message.Sub != "busy" ? 1 : 0;
            fromBusy += message.Type == "event" && message.Sub == "busy" ? 1 : 0;
        }

        Assert.Equal((streams.Length, 10_000), (others, fromBusy));
    }

    [Fact]
    public async Task A_hundred_hot_grpc_sessions_cancelled_at_once_leave_the_server_answering()
    {
        var stream = TestLog.NewStream();
        for (var batch = 0; batch < 20; batch++)
        {
            await shared.Log.AppendNumbersAsync(stream, (batch * 1_000) + 1, 1_000);
        }

        await using var host = await StreamApiHost.StartAsync(shared.Redis);
        using (var channel = GrpcChannel.ForAddress(host.Grpc))
        {
            var client = new V1.Streams.StreamsClient(channel);
            var calls = Enumerable.Range(0, 100).Select(_ => client.Session(cancellationToken: Cancel)).ToArray();
            await Task.WhenAll(calls.Select(async call =>
            {
                await call.RequestStream.WriteAsync(
                    new V1.ClientMessage { Subscribe = new V1.SessionSubscribe { Sub = "1", Stream = stream, From = "start", Window = 0 } }, Cancel);
                for (var count = 0; count < 100; count++)
                {
                    Assert.True(await call.ResponseStream.MoveNext(Cancel));
                }
            }));
            foreach (var call in calls)
            {
                call.Dispose();
            }
        }

        using var again = GrpcChannel.ForAddress(host.Grpc);
        var page = await new V1.Streams.StreamsClient(again).ReadAsync(new V1.ReadRequest { Stream = stream, Limit = 1 }, cancellationToken: Cancel);
        Assert.Single(page.Events);
        var registry = host.Get<ConnectionRegistry>();
        await Eventually.TrueAsync(() => registry.Count == 0, SseClient.Patience, "the sessions are gone", Cancel);
    }
}
