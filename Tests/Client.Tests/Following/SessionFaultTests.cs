using System.Net;
using AspireStreaming.Client.Tests.Support;

namespace AspireStreaming.Client.Tests.Following;

/// <summary>The subscriber against sessions that fall silent, refuse and close.</summary>
public sealed class SessionFaultTests
{
    private const string End = """{"type":"control","sub":"1","name":"stream.end","data":{"stream":"s","type":"STREAM_END","position":"5-2"}}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Session_that_falls_silent_is_pinged_then_given_up_and_resumed_behind_the_last_event()
    {
        await using var server = SessionServer.Start(
            static async session =>
            {
                await session.SubscribedAsync("5-0");
                await session.EventAsync(1);
                await session.ListenAsync();
            },
            Rest);

        var items = await FollowAsync(server, options => options.IdleTimeout = TimeSpan.FromMilliseconds(600));

        Assert.Equal([1L, 2], Sequences(items));
        Assert.IsType<TimeoutException>(Assert.Single(items.OfType<ConnectionLost>()).Fault);
        Assert.Equal(
            [
                """{"type":"subscribe","sub":"1","stream":"s"}""",
                """{"type":"ack","sub":"1","position":"5-1"}""",
                """{"type":"ping"}""",
            ],
            server.Received.Take(3));
        Assert.Contains("""{"type":"subscribe","sub":"1","stream":"s","from":"5-1"}""", server.Received);
    }

    [Fact]
    public async Task Session_that_is_answered_stays()
    {
        await using var server = SessionServer.Start(static async session =>
        {
            await session.SubscribedAsync("5-0");
            for (var pings = 0; pings < 5; pings++)
            {
                await session.ReceiveAsync();
                await session.SendAsync("""{"type":"pong"}""");
            }

            await session.EventAsync(1);
            await session.SendAsync(End);
            await session.ListenAsync();
        });

        var items = await FollowAsync(server, options => options.IdleTimeout = TimeSpan.FromMilliseconds(600));

        Assert.Equal([1L], Sequences(items));
        Assert.Empty(items.OfType<ConnectionLost>());
    }

    [Fact]
    public async Task Session_that_is_drained_is_resumed_after_the_time_it_says()
    {
        await using var server = SessionServer.Start(
            static async session =>
            {
                await session.SubscribedAsync("5-0");
                await session.EventAsync(1);
                await session.SendAsync("""{"type":"control","name":"stream.drain","data":{"retryMs":40,"reason":"shutdown"}}""");
                await session.CloseAsync();
                await session.ListenAsync();
            },
            Rest);

        var items = await FollowAsync(server);

        Assert.Equal([1L, 2], Sequences(items));
        Assert.Equal("shutdown", Assert.Single(items.OfType<DrainNotice>()).Reason);
        var lost = Assert.Single(items.OfType<ConnectionLost>());
        Assert.Null(lost.Fault);
        Assert.InRange(lost.Delay, TimeSpan.FromMilliseconds(40), TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public async Task Busy_service_is_asked_again_no_sooner_than_it_says()
    {
        await using var server = SessionServer.Start(
            static async session =>
            {
                await session.ReceiveAsync();
                await session.SendAsync("""{"type":"error","sub":"1","status":503,"title":"Unavailable","detail":"too many","problem":"urn:x","retryAfter":1,"ended":true}""");
                await session.ListenAsync();
            },
            Rest);

        var items = await FollowAsync(server, from: new StreamPosition(5, 1));

        var lost = Assert.Single(items.OfType<ConnectionLost>());
        Assert.True(lost.Delay >= TimeSpan.FromSeconds(1));
        Assert.Equal("urn:x", Assert.IsType<ApiException>(lost.Fault).Problem.Type);
        Assert.Equal([2L], Sequences(items));
    }

    [Fact]
    public async Task Refusal_ends_it()
    {
        await using var server = SessionServer.Start(static async session =>
        {
            await session.SubscribedAsync("5-0");
            await session.SendAsync("""{"type":"error","sub":"1","status":409,"title":"Taken","detail":"by another","ended":true}""");
            await session.ListenAsync();
        });

        var fault = await Assert.ThrowsAsync<ApiException>(() => FollowAsync(server));

        Assert.Equal((HttpStatusCode.Conflict, "by another"), (fault.Status, fault.Problem.Detail));
    }

    [Fact]
    public async Task Message_that_is_none_ends_it()
    {
        await using var server = SessionServer.Start(static async session =>
        {
            await session.ReceiveAsync();
            await session.SendAsync("[1]");
            await session.ListenAsync();
        });

        await Assert.ThrowsAsync<InvalidDataException>(() => FollowAsync(server));
    }

    private static async Task Rest(SessionServer.Session session)
    {
        await session.SubscribedAsync("5-1");
        await session.EventAsync(2);
        await session.SendAsync(End);
        await session.ListenAsync();
    }

    private static IEnumerable<long> Sequences(IEnumerable<StreamItem> items) =>
        items.OfType<StreamEvent>().Select(static item => item.Position.Sequence);

    private static async Task<List<StreamItem>> FollowAsync(
        SessionServer server, Action<StreamingClientOptions>? configure = null, StartAt? from = null)
    {
        var options = new StreamingClientOptions { StreamApiUrl = server.Url };
        configure?.Invoke(options);
        using var http = new HttpClient();
        using var subscriber = new EventSubscriber(http, options);
        var items = new List<StreamItem>();
        await foreach (var item in subscriber.FollowAsync("s", new SubscribeOptions { Transport = StreamTransport.WebSocket, From = from }, Token))
        {
            items.Add(item);
        }

        return items;
    }
}
