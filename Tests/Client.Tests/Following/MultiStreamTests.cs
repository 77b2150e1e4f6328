using AspireStreaming.Client.Tests.Support;

namespace AspireStreaming.Client.Tests.Following;

/// <summary>Several streams on one connection to a real Stream API.</summary>
public sealed class MultiStreamTests(Servers servers)
{
    private readonly string _a = Servers.NewStream("a");
    private readonly string _b = Servers.NewStream("b");
    private readonly EventPublisher _publisher = servers.CreatePublisher();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SubscribeAsync_brings_each_stream_in_its_order_until_all_have_ended()
    {
        using var subscriber = servers.CreateSubscriber();
        var first = await PublishAsync(_a, 1, 3);
        await PublishAsync(_b, 1, 3);
        StreamStart[] streams = [new(_a, first.First), _b];
        var events = new List<(string Stream, int Number)>();
        var following = CollectAsync(subscriber, streams, null, events);
        await TestSupport.Eventually.TrueAsync(() => events.Count >= 5, TimeSpan.FromSeconds(20), "what is there has come", Token);

        await EndAsync(_a);
        await PublishAsync(_b, 4, 4);
        await EndAsync(_b);
        await following.WaitAsync(TimeSpan.FromSeconds(20), Token);

        Assert.Equal([2, 3], Of(events, _a));
        Assert.Equal([1, 2, 3, 4], Of(events, _b));
    }

    [Fact]
    public async Task SubscribeAsync_resume_token_goes_on_in_every_stream()
    {
        using var subscriber = servers.CreateSubscriber();
        await PublishAsync(_a, 1, 5);
        await PublishAsync(_b, 1, 5);
        await EndAsync(_a);
        await EndAsync(_b);
        var events = new List<(string Stream, int Number)>();
        string? token = null;
        await foreach (var item in subscriber.SubscribeAsync([_a, _b], cancellationToken: Token))
        {
            events.Add((item.Stream, item.ReadData<int>()));
            token = item.ResumeToken;
            if (events.Count == 4)
            {
                break;
            }
        }

        await CollectAsync(subscriber, [_a, _b], new SubscribeOptions { ResumeToken = token }, events);

        Assert.Equal([1, 2, 3, 4, 5], Of(events, _a));
        Assert.Equal([1, 2, 3, 4, 5], Of(events, _b));
    }

    [Fact]
    public async Task SubscribeAsync_survives_a_restart_of_the_service()
    {
        var former = await ServiceHost.StartStreamApiAsync(servers.Redis, servers.Archive);
        using var subscriber = former.CreateSubscriber();
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<int>[] publishing = [_publisher.PublishUntilAsync(_a, stop.Task, Token), _publisher.PublishUntilAsync(_b, stop.Task, Token)];
        var events = new List<(string Stream, int Number)>();
        var following = CollectAsync(subscriber, [_a, _b], null, events);
        await TestSupport.Eventually.TrueAsync(() => events.Count >= 20, TimeSpan.FromSeconds(20), "events have come", Token);

        await former.DisposeAsync();
        await using var next = await ServiceHost.StartStreamApiAtAsync(former, servers.Redis, servers.Archive);
        var count = events.Count;
        await TestSupport.Eventually.TrueAsync(() => events.Count >= count + 50, TimeSpan.FromSeconds(60), "they go on", Token);
        stop.SetResult();
        var published = await Task.WhenAll(publishing);
        await EndAsync(_a);
        await EndAsync(_b);
        await following.WaitAsync(TimeSpan.FromSeconds(60), Token);

        Assert.Equal(Enumerable.Range(1, published[0]), Of(events, _a));
        Assert.Equal(Enumerable.Range(1, published[1]), Of(events, _b));
    }

    private static async Task CollectAsync(
        EventSubscriber subscriber, StreamStart[] streams, SubscribeOptions? options, List<(string Stream, int Number)> events)
    {
        await foreach (var item in subscriber.SubscribeAsync(streams, options, Token))
        {
            if (item.Type == "token")
            {
                events.Add((item.Stream, item.ReadData<int>()));
            }
        }
    }

    private static IEnumerable<int> Of(List<(string Stream, int Number)> events, string stream) =>
        events.Where(item => item.Stream == stream).Select(static item => item.Number);

    private Task<PublishReceipt> PublishAsync(string stream, int first, int last) =>
        _publisher.PublishAsync(stream, [.. Enumerable.Range(first, last - first + 1).Select(Numbers.Event)], cancellationToken: Token);

    private Task<PublishReceipt> EndAsync(string stream) =>
        _publisher.PublishAsync(stream, new NewEvent("STREAM_END"), cancellationToken: Token);
}
