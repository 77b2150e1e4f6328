using System.Diagnostics;
using AspireStreaming.Client.Tests.Support;

namespace AspireStreaming.Client.Tests.Following;

/// <summary>The subscriber against a real Stream API, over every transport.</summary>
public sealed class SubscribeTests(Servers servers)
{
    private readonly string _stream = Servers.NewStream();
    private readonly EventPublisher _publisher = servers.CreatePublisher();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task SubscribeAsync_brings_what_is_there_then_what_comes_and_ends_with_the_stream(StreamTransport transport)
    {
        using var subscriber = servers.CreateSubscriber();
        await PublishAsync(1, 3);
        var numbers = new List<int>();
        var following = subscriber.CollectAsync(_stream, new SubscribeOptions { Transport = transport }, numbers, Token);
        await Numbers.ReachAsync(numbers, 3, Token);

        await PublishAsync(4, 5);
        await Numbers.ReachAsync(numbers, 5, Token);
        await EndAsync();

        await following.WaitAsync(TimeSpan.FromSeconds(20), Token);
        Assert.Equal([1, 2, 3, 4, 5], numbers);
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task FollowAsync_every_transport_brings_the_same_events(StreamTransport transport)
    {
        using var subscriber = servers.CreateSubscriber();
        byte[] bytes = [0, 1, 255];
        await _publisher.PublishAsync(
            _stream,
            [
                NewEvent.Json("j", new { a = 1 }) with { Id = "1", Subject = "über", Extensions = new Dictionary<string, string> { ["x"] = "y" } },
                NewEvent.Text("t", "text") with { Id = "2" },
                NewEvent.Binary("b", bytes) with { Id = "3" },
                new NewEvent("STREAM_END") { Id = "4" },
            ],
            cancellationToken: Token);

        var items = await FollowAsync(subscriber, new SubscribeOptions { Transport = transport });

        var events = items.OfType<StreamEvent>().ToArray();
        Assert.Equal(["1", "2", "3", "4"], events.Select(static item => item.Id));
        Assert.Equal([1L, 2, 3, 4], events.Select(static item => item.Position.Sequence));
        Assert.All(events, item => Assert.Equal(_stream, item.Stream));
        Assert.Equal("""{"a":1}"""u8.ToArray(), events[0].Data.ToArray());
        Assert.Equal(("über", "y", "application/json"), (events[0].Subject, events[0].Attributes["x"], events[0].DataContentType));
        Assert.Equal("text"u8.ToArray(), events[1].Data.ToArray());
        Assert.Equal(bytes, events[2].Data.ToArray());
        Assert.True(events[3].Data.IsEmpty);
        var info = await subscriber.ReadStreamAsync(_stream, Token);
        Assert.Equal((events[3].Position, "ended"), (info!.Last, info.State));
        var end = Assert.IsType<EndNotice>(items[^1]);
        Assert.Equal("STREAM_END", end.End.Type);
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task SubscribeAsync_starts_where_it_is_told(StreamTransport transport)
    {
        using var subscriber = servers.CreateSubscriber();
        var receipt = await PublishAsync(1, 4);
        await EndAsync();

        Assert.Equal([3, 4], await NumbersOfAsync(new StreamPosition(receipt.First.Epoch, 2)));
        Assert.Equal([1, 2, 3, 4], await NumbersOfAsync(StartAt.Time(DateTimeOffset.UnixEpoch)));
        Assert.Empty(await NumbersOfAsync(StartAt.Now));

        async Task<List<int>> NumbersOfAsync(StartAt from)
        {
            var numbers = new List<int>();
            await subscriber.CollectAsync(_stream, new SubscribeOptions { Transport = transport, From = from }, numbers, Token)
                .WaitAsync(TimeSpan.FromSeconds(20), Token);
            return numbers;
        }
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task SubscribeAsync_types_are_filtered(StreamTransport transport)
    {
        using var subscriber = servers.CreateSubscriber();
        await _publisher.PublishAsync(_stream, [new NewEvent("a"), new NewEvent("b"), new NewEvent("c"), new NewEvent("STREAM_END")], cancellationToken: Token);

        var items = await FollowAsync(subscriber, new SubscribeOptions { Transport = transport, Types = ["a", "c"] });

        Assert.Equal(["a", "c"], items.OfType<StreamEvent>().Select(static item => item.Type));
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task SubscribeAsync_resume_token_goes_on_after_its_item(StreamTransport transport)
    {
        using var subscriber = servers.CreateSubscriber();
        await PublishAsync(1, 5);
        await EndAsync();
        string? token = null;
        await foreach (var item in subscriber.SubscribeAsync(_stream, new SubscribeOptions { Transport = transport }, Token))
        {
            token = item.ResumeToken;
            if (item.Position.Sequence == 2)
            {
                break;
            }
        }

        var numbers = new List<int>();
        await subscriber.CollectAsync(_stream, new SubscribeOptions { Transport = transport, ResumeToken = token }, numbers, Token);

        Assert.Equal([3, 4, 5], numbers);
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task SubscribeAsync_cancellation_ends_it_at_once(StreamTransport transport)
    {
        using var subscriber = servers.CreateSubscriber();
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await PublishAsync(1, 1);
        var numbers = new List<int>();
        var following = subscriber.CollectAsync(_stream, new SubscribeOptions { Transport = transport }, numbers, cancel.Token);
        await Numbers.ReachAsync(numbers, 1, Token);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following.WaitAsync(TimeSpan.FromSeconds(10), Token));
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task SubscribeAsync_nobody_there_is_given_up(StreamTransport transport)
    {
        using var http = new HttpClient();
        var options = new StreamingClientOptions
        {
            StreamApiUrl = new Uri("http://127.0.0.1:1"),
            StreamApiGrpcUrl = new Uri("http://127.0.0.1:1"),
            ConnectWithin = TimeSpan.Zero,
        };
        using var subscriber = new EventSubscriber(http, options);

        await Assert.ThrowsAsync<ServiceUnreachableException>(async () => await FollowAsync(subscriber, new SubscribeOptions { Transport = transport }));
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task SubscribeAsync_wrong_request_is_refused(StreamTransport transport)
    {
        using var subscriber = servers.CreateSubscriber();
        var options = new SubscribeOptions { Transport = transport, Policy = DeliveryPolicy.Drop, Lag = 5_000_000 };

        var fault = await Assert.ThrowsAsync<ApiException>(async () => await FollowAsync(subscriber, options));

        Assert.Equal(System.Net.HttpStatusCode.BadRequest, fault.Status);
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task FollowAsync_caught_up_is_told_at_the_tail(StreamTransport transport)
    {
        using var subscriber = servers.CreateSubscriber();
        var receipt = await PublishAsync(1, 2);
        var seen = 0;
        await foreach (var item in subscriber.FollowAsync(_stream, new SubscribeOptions { Transport = transport }, Token))
        {
            seen += item is StreamEvent ? 1 : 0;
            if (item is CaughtUpNotice notice)
            {
                Assert.Equal(receipt.Last, notice.Position);
                break;
            }
        }

        Assert.Equal(2, seen);
    }

    [Fact]
    public async Task Trace_of_the_publisher_arrives_with_the_event()
    {
        using var trace = new TraceCapture();
        using var subscriber = servers.CreateSubscriber();
        await _publisher.PublishAsync(trace.Stream, [Numbers.Event(1), new NewEvent("STREAM_END")], cancellationToken: Token);

        await foreach (var item in subscriber.SubscribeAsync(trace.Stream, cancellationToken: Token))
        {
            var published = Assert.Single(trace.Of("publish"));
            Assert.Equal((published.TraceId, published.SpanId), (item.TraceContext.TraceId, item.TraceContext.SpanId));
            Assert.True(item.TraceContext.IsRemote);
        }

        Assert.Equal(ActivityKind.Client, Assert.Single(trace.Of("subscribe")).Kind);
    }

    [Fact]
    public async Task ReadAsync_reads_page_by_page_to_the_end()
    {
        using var subscriber = servers.CreateSubscriber();
        await PublishAsync(1, 25);
        var sequences = new List<long>();

        await foreach (var item in subscriber.ReadAsync(_stream, new PageOptions { Limit = 10 }, cancellationToken: Token))
        {
            sequences.Add(item.Position.Sequence);
        }

        Assert.Equal(Enumerable.Range(1, 25).Select(static number => (long)number), sequences);
    }

    [Fact]
    public async Task ReadPageAsync_goes_down_from_the_end()
    {
        using var subscriber = servers.CreateSubscriber();
        await PublishAsync(1, 5);
        await EndAsync();

        var page = await subscriber.ReadPageAsync(_stream, new PageOptions { Limit = 2, Descending = true }, Token);
        var rest = await subscriber.ReadPageAsync(_stream, new PageOptions { From = page.Next, Descending = true }, Token);

        Assert.Equal([6L, 5], page.Events.Select(static item => item.Position.Sequence));
        Assert.Equal([4L, 3, 2, 1], rest.Events.Select(static item => item.Position.Sequence));
        Assert.Equal("STREAM_END", page.End?.Type);
    }

    [Fact]
    public async Task ReadPageAsync_waits_for_a_first_event()
    {
        using var subscriber = servers.CreateSubscriber();
        var reading = subscriber.ReadPageAsync(_stream, new PageOptions { Wait = TimeSpan.FromSeconds(30) }, Token);

        await PublishAsync(1, 1);

        Assert.Single((await reading.WaitAsync(TimeSpan.FromSeconds(20), Token)).Events);
    }

    [Fact]
    public async Task ReadStreamAsync_unknown_stream_is_null()
    {
        using var subscriber = servers.CreateSubscriber();

        Assert.Null(await subscriber.ReadStreamAsync(_stream, Token));
    }

    [Fact]
    public async Task ListStreamsAsync_lists_the_stream()
    {
        using var subscriber = servers.CreateSubscriber();
        var receipt = await PublishAsync(1, 2);

        await foreach (var info in subscriber.ListStreamsAsync(Token))
        {
            if (info.Name == _stream)
            {
                Assert.Equal((receipt.Last, "running"), (info.Last, info.State));
                return;
            }
        }

        Assert.Fail("The stream is not listed.");
    }

    private Task<PublishReceipt> PublishAsync(int first, int last) =>
        _publisher.PublishAsync(_stream, [.. Enumerable.Range(first, last - first + 1).Select(Numbers.Event)], cancellationToken: Token);

    private Task<PublishReceipt> EndAsync() => _publisher.PublishAsync(_stream, new NewEvent("STREAM_END"), cancellationToken: Token);

    private async Task<List<StreamItem>> FollowAsync(EventSubscriber subscriber, SubscribeOptions options)
    {
        var items = new List<StreamItem>();
        await foreach (var item in subscriber.FollowAsync(_stream, options, Token))
        {
            items.Add(item);
        }

        return items;
    }
}
