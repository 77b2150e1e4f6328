using System.Net;
using AspireStreaming.Client.Tests.Support;

namespace AspireStreaming.Client.Tests.Following;

/// <summary>The subscriber against connections that break, lie and refuse.</summary>
public sealed class FollowFaultTests
{
    private const string End = """{"stream":"s","type":"STREAM_END","position":"5-9"}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task FollowAsync_resumes_after_the_last_whole_event_and_asks_for_the_same_again()
    {
        using var handler = new ScriptedHandler(
            static _ => ScriptedHandler.Sse("id: 5-0\n\n", ScriptedHandler.Event(1), "id: 5-2\ndata: {\"cut"),
            static _ => throw new HttpRequestException("refused"),
            static _ => ScriptedHandler.Sse(ScriptedHandler.Event(2), ScriptedHandler.Event(3)),
            static _ => new HttpResponseMessage(HttpStatusCode.NoContent));

        var items = await FollowAsync(handler, new SubscribeOptions { From = StartAt.Now, Policy = DeliveryPolicy.Drop, Lag = 7 });

        Assert.Equal([1L, 2, 3], items.OfType<StreamEvent>().Select(static item => item.Position.Sequence));
        Assert.Equal(3, items.OfType<ConnectionLost>().Count());
        Assert.Equal(
            [
                ("/streams/s/events?from=now&policy=drop&lag=7", null),
                ("/streams/s/events?policy=drop&lag=7", "5-1"),
                ("/streams/s/events?policy=drop&lag=7", "5-1"),
                ("/streams/s/events?policy=drop&lag=7", "5-3"),
            ],
            handler.Requests.Select(static request => (request.Path, request.LastEventId)));
    }

    [Fact]
    public async Task SubscribeAsync_missing_events_end_it_unless_somebody_is_told()
    {
        using var handler = Gap();

        var fault = await Assert.ThrowsAsync<EventsMissingException>(async () => await SubscribeAsync(handler, new SubscribeOptions()));

        Assert.Equal(new StreamPosition(5, 4), fault.ResumeAfter);
        var notice = Assert.IsType<GapNotice>(fault.Notice);
        Assert.Equal((3L, "trimmed"), (notice.Gap.Missed, notice.Gap.Reason));

        using var again = Gap();
        var notices = new List<StreamItem>();
        Assert.Equal([1L, 5], await SubscribeAsync(again, new SubscribeOptions { OnNotice = notices.Add }));
        Assert.Single(notices.OfType<GapNotice>());

        static ScriptedHandler Gap() => new(static _ => ScriptedHandler.Sse(
            ScriptedHandler.Event(1),
            ScriptedHandler.Control("stream.gap", """{"stream":"s","from":"5-1","to":"5-4","missed":3,"reason":"trimmed"}"""),
            ScriptedHandler.Event(5),
            ScriptedHandler.Control("stream.end", End)));
    }

    [Fact]
    public async Task SubscribeAsync_unproven_epoch_is_a_loss_and_a_proven_one_is_not()
    {
        using var unproven = Epoch("null");
        using var proven = Epoch("0");

        var fault = await Assert.ThrowsAsync<EventsMissingException>(async () => await SubscribeAsync(unproven, new SubscribeOptions()));
        Assert.Equal(new StreamPosition(6, 1), fault.ResumeAfter);
        Assert.Equal([1L, 2], await SubscribeAsync(proven, new SubscribeOptions()));

        static ScriptedHandler Epoch(string missed) => new(_ => ScriptedHandler.Sse(
            ScriptedHandler.Event(1),
            ScriptedHandler.Control("stream.epoch", $$"""{"stream":"s","previous":"5-1","current":"6-2","missed":{{missed}}}"""),
            ScriptedHandler.Event(2, epoch: 6),
            ScriptedHandler.Control("stream.end", End)));
    }

    [Fact]
    public async Task SubscribeAsync_dropped_events_are_told_and_don_t_end_it()
    {
        using var handler = new ScriptedHandler(static _ => ScriptedHandler.Sse(
            ScriptedHandler.Event(1),
            ScriptedHandler.Control("stream.dropped", """{"stream":"s","from":"5-1","to":"5-4","missed":3}"""),
            ScriptedHandler.Event(5),
            ScriptedHandler.Control("stream.end", End)));

        Assert.Equal([1L, 5], await SubscribeAsync(handler, new SubscribeOptions { Policy = DeliveryPolicy.Drop }));
    }

    [Theory]
    [InlineData(3, "1 event is missing")]
    [InlineData(1, "was delivered twice")]
    public async Task SubscribeAsync_positions_that_prove_a_fault_end_it_unless_unchecked(long second, string explanation)
    {
        using var handler = new ScriptedHandler(_ => ScriptedHandler.Sse(
            ScriptedHandler.Event(1), ScriptedHandler.Event(second), ScriptedHandler.Control("stream.end", End)));

        var fault = await Assert.ThrowsAsync<ContinuityException>(async () => await SubscribeAsync(handler, new SubscribeOptions()));

        Assert.Contains(explanation, fault.Message, StringComparison.Ordinal);
        Assert.Equal([1L, second], await SubscribeAsync(handler, new SubscribeOptions { CheckContinuity = false }));
    }

    [Fact]
    public async Task SubscribeAsync_repetition_across_a_reconnect_is_a_fault()
    {
        using var handler = new ScriptedHandler(
            static _ => ScriptedHandler.Sse(ScriptedHandler.Event(1), ScriptedHandler.Event(2)),
            static _ => ScriptedHandler.Sse(ScriptedHandler.Event(2)));

        await Assert.ThrowsAsync<ContinuityException>(async () => await SubscribeAsync(handler, new SubscribeOptions()));
    }

    [Fact]
    public async Task FollowAsync_drain_is_waited_for_as_long_as_asked()
    {
        using var handler = new ScriptedHandler(
            static _ => ScriptedHandler.Sse(
                "retry: 60000\n\n", ScriptedHandler.Event(1), ScriptedHandler.Control("stream.drain", """{"stream":"s","retryMs":40,"reason":"shutdown"}""")),
            static _ => ScriptedHandler.Sse(ScriptedHandler.Event(2), ScriptedHandler.Control("stream.end", End)));

        var items = await FollowAsync(handler, new SubscribeOptions());

        Assert.Equal("shutdown", Assert.Single(items.OfType<DrainNotice>()).Reason);
        Assert.InRange(Assert.Single(items.OfType<ConnectionLost>()).Delay, TimeSpan.FromMilliseconds(40), TimeSpan.FromMilliseconds(50));
        Assert.Equal(2, items.OfType<StreamEvent>().Count());
    }

    [Fact]
    public async Task SubscribeAsync_disconnect_policy_ends_with_the_place_to_go_on()
    {
        using var handler = new ScriptedHandler(static _ => ScriptedHandler.Sse(
            ScriptedHandler.Event(1), ScriptedHandler.Control("stream.drain", """{"stream":"s","retryMs":1,"reason":"lag"}""")));

        var fault = await Assert.ThrowsAsync<LagDisconnectException>(async () =>
            await SubscribeAsync(handler, new SubscribeOptions { Policy = DeliveryPolicy.Disconnect }));

        Assert.Equal(("s", "5-1"), (fault.Stream, fault.ResumeToken));
        Assert.Single(handler.Requests);
    }

    [Fact]
    public async Task FollowAsync_busy_service_is_asked_again_no_sooner_than_it_says()
    {
        using var handler = new ScriptedHandler(
            static _ => ScriptedHandler.Unavailable(1),
            static _ => ScriptedHandler.Sse(ScriptedHandler.Event(1), ScriptedHandler.Control("stream.end", End)));

        var items = await FollowAsync(handler, new SubscribeOptions());

        Assert.True(Assert.Single(items.OfType<ConnectionLost>()).Delay >= TimeSpan.FromSeconds(1));
        Assert.Single(items.OfType<StreamEvent>());
    }

    [Theory]
    [InlineData(HttpStatusCode.Unauthorized)]
    [InlineData(HttpStatusCode.Forbidden)]
    [InlineData(HttpStatusCode.BadRequest)]
    public async Task FollowAsync_refusal_is_not_repeated(HttpStatusCode status)
    {
        using var handler = new ScriptedHandler(_ => ScriptedHandler.Json("""{"detail":"no"}""", status));

        var fault = await Assert.ThrowsAsync<ApiException>(async () => await FollowAsync(handler, new SubscribeOptions()));

        Assert.Equal((status, "no"), (fault.Status, fault.Problem.Detail));
        Assert.Single(handler.Requests);
    }

    [Fact]
    public async Task FollowAsync_token_is_asked_for_anew_with_each_connection()
    {
        using var handler = new ScriptedHandler(
            static _ => ScriptedHandler.Sse(ScriptedHandler.Event(1)),
            static _ => new HttpResponseMessage(HttpStatusCode.NoContent));
        var count = 0;

        await FollowAsync(handler, new SubscribeOptions(), options => options.AccessTokenProvider = _ => ValueTask.FromResult<string?>($"t{++count}"));

        Assert.Equal(["Bearer t1", "Bearer t2"], handler.Requests.Select(static request => request.Headers["Authorization"]));
    }

    [Fact]
    public async Task FollowAsync_several_streams_share_a_connection_and_a_token()
    {
        using var handler = new ScriptedHandler(
            static _ => ScriptedHandler.Sse(
                "id: v0\n\n",
                ScriptedHandler.Event(1, stream: "a").Replace("id: 5-1", "id: v1", StringComparison.Ordinal),
                ScriptedHandler.Event(1, stream: "b").Replace("id: 5-1", "id: v2", StringComparison.Ordinal),
                ScriptedHandler.Control("stream.end", """{"stream":"a","type":"STREAM_END","position":"5-1"}""")),
            static _ => ScriptedHandler.Sse(
                ScriptedHandler.Event(2, stream: "b").Replace("id: 5-2", "id: v3", StringComparison.Ordinal),
                ScriptedHandler.Control("stream.end", """{"stream":"b","type":"STREAM_END","position":"5-2"}""")));
        using var subscriber = Create(handler, null);
        StreamStart[] streams = ["a", new("b", new StreamPosition(5, 0))];
        var items = new List<StreamItem>();

        await foreach (var item in subscriber.FollowAsync(streams, cancellationToken: Token))
        {
            items.Add(item);
        }

        Assert.Equal(
            [("a", 1L, "v1"), ("b", 1L, "v2"), ("b", 2L, "v3")],
            items.OfType<StreamEvent>().Select(static item => (item.Stream, item.Position.Sequence, item.ResumeToken!)));
        Assert.Equal(["a", "b"], items.OfType<EndNotice>().Select(static item => item.Stream));
        Assert.Equal(
            [("/events?stream=a&stream=b%405-0", null), ("/events?stream=a&stream=b%405-0", "v2")],
            handler.Requests.Select(static request => (request.Path, request.LastEventId)));
    }

    [Fact]
    public void FollowAsync_wrong_use_is_refused()
    {
        using var handler = new ScriptedHandler(static _ => throw new InvalidOperationException());
        using var subscriber = Create(handler, null);

        Assert.Throws<ArgumentException>(() => subscriber.FollowAsync("a b", cancellationToken: Token));
        Assert.Throws<ArgumentException>(() => subscriber.FollowAsync("s", new SubscribeOptions { Cursor = "c" }, Token));
        Assert.Throws<ArgumentException>(() => subscriber.FollowAsync(["a", "b"], new SubscribeOptions { Transport = StreamTransport.Grpc }, Token));
        Assert.Throws<ArgumentOutOfRangeException>(() => subscriber.FollowAsync([], cancellationToken: Token));
    }

    private static EventSubscriber Create(HttpMessageHandler handler, Action<StreamingClientOptions>? configure)
    {
        var options = new StreamingClientOptions();
        configure?.Invoke(options);
        return new EventSubscriber(new HttpClient(handler, disposeHandler: false) { BaseAddress = new Uri("http://stream.test") }, options);
    }

    private static async Task<List<StreamItem>> FollowAsync(
        HttpMessageHandler handler, SubscribeOptions options, Action<StreamingClientOptions>? configure = null)
    {
        using var subscriber = Create(handler, configure);
        var items = new List<StreamItem>();
        await foreach (var item in subscriber.FollowAsync("s", options, Token))
        {
            items.Add(item);
        }

        return items;
    }

    private static async Task<List<long>> SubscribeAsync(HttpMessageHandler handler, SubscribeOptions options)
    {
        using var subscriber = Create(handler, null);
        var sequences = new List<long>();
        await foreach (var item in subscriber.SubscribeAsync("s", options, Token))
        {
            sequences.Add(item.Position.Sequence);
        }

        return sequences;
    }
}
