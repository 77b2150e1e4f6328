using AspireStreaming.Client.Tests.Support;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AspireStreaming.Client.Tests.Following;

/// <summary>Servers that come and go under load: every event arrives once, in order, and nobody has to do anything for it.</summary>
public sealed class ResumeTests(Servers servers)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _stream = Servers.NewStream("resume");
    private readonly List<int> _numbers = [];
    private readonly TaskCompletionSource _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task Restarted_stream_api_loses_and_repeats_nothing(StreamTransport transport)
    {
        var former = await ServiceHost.StartStreamApiAsync(servers.Redis, servers.Archive);
        using var subscriber = former.CreateSubscriber();
        var publisher = servers.CreatePublisher();
        var publishing = publisher.PublishUntilAsync(_stream, _stop.Task, Token);
        var lost = 0;
        var options = new SubscribeOptions { Transport = transport, OnNotice = item => lost += item is ConnectionLost ? 1 : 0 };
        var following = subscriber.CollectAsync(_stream, options, _numbers, Token);
        await Numbers.ReachAsync(_numbers, 20, Token);

        await former.DisposeAsync();
        await using var next = await ServiceHost.StartStreamApiAtAsync(former, servers.Redis, servers.Archive);
        await Numbers.ReachAsync(_numbers, Numbers.CountOf(_numbers) + 100, Token);

        await FinishAsync(publisher, publishing, following);
        Assert.True(lost > 0);
    }

    [Fact]
    public async Task Replica_that_stops_hands_over_to_another()
    {
        await using var first = await ServiceHost.StartStreamApiAsync(servers.Redis, servers.Archive);
        await using var second = await ServiceHost.StartStreamApiAsync(servers.Redis, servers.Archive);
        await using var provider = Services(first.Http, second.Http);
        var publisher = provider.GetRequiredService<EventPublisher>();
        var publishing = publisher.PublishUntilAsync(_stream, _stop.Task, Token);
        var lost = 0;
        var options = new SubscribeOptions { OnNotice = item => lost += item is ConnectionLost ? 1 : 0 };
        var following = provider.GetRequiredService<EventSubscriber>().CollectAsync(_stream, options, _numbers, Token);
        await Numbers.ReachAsync(_numbers, 20, Token);

        // One of the two had the connection; the other, or both in turn, go on.
        await first.StopAsync();
        await Numbers.ReachAsync(_numbers, Numbers.CountOf(_numbers) + 50, Token);
        await using var third = await ServiceHost.StartStreamApiAtAsync(first, servers.Redis, servers.Archive);
        await second.StopAsync();
        await Numbers.ReachAsync(_numbers, Numbers.CountOf(_numbers) + 50, Token);

        await FinishAsync(publisher, publishing, following);
        Assert.True(lost > 0);
    }

    [Theory]
    [MemberData(nameof(Transports.All), MemberType = typeof(Transports))]
    public async Task Restarted_redis_loses_and_repeats_nothing(StreamTransport transport)
    {
        var folder = Directory.CreateTempSubdirectory("client-redis-").FullName;
        try
        {
            await using var redis = await RedisProcess.StartAsync(dataFolder: folder, cancellationToken: Token);
            await using var publisherHost = await ServiceHost.StartPublisherAsync(redis.ConnectionString, servers.Archive);
            await using var streamHost = await ServiceHost.StartStreamApiAsync(redis.ConnectionString, servers.Archive);
            using var subscriber = streamHost.CreateSubscriber();
            using var http = new HttpClient { BaseAddress = publisherHost.Http };
            var publisher = new EventPublisher(http);
            var publishing = publisher.PublishUntilAsync(_stream, _stop.Task, Token);

            // Nobody archives here, so that nothing proves the border between the epochs: it is announced, and crossed.
            var options = new SubscribeOptions { Transport = transport, OnNotice = static _ => { } };
            var following = subscriber.CollectAsync(_stream, options, _numbers, Token);
            await Numbers.ReachAsync(_numbers, 20, Token);

            await redis.RestartAsync(cancellationToken: Token);
            await Numbers.ReachAsync(_numbers, Numbers.CountOf(_numbers) + 100, Token);

            await FinishAsync(publisher, publishing, following);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task FinishAsync(EventPublisher publisher, Task<int> publishing, Task following)
    {
        _stop.SetResult();
        var count = await publishing.WaitAsync(Patience, Token);
        await publisher.PublishAsync(_stream, new NewEvent("STREAM_END"), cancellationToken: Token);
        await following.WaitAsync(Patience, Token);
        Assert.Equal(Enumerable.Range(1, count), _numbers);
    }

    private ServiceProvider Services(params Uri[] streamApis)
    {
        var settings = streamApis.Select(static (url, index) => KeyValuePair.Create<string, string?>($"Services:stream-api:http:{index}", url.ToString()))
            .Append(KeyValuePair.Create<string, string?>("Services:publisher-api:http:0", servers.Publisher.Http.ToString()));
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
        services.AddServiceDiscovery();
        services.ConfigureHttpClientDefaults(static http => http.AddServiceDiscovery());
        services.AddAspireStreamingClient();
        return services.BuildServiceProvider();
    }
}
