using System.Diagnostics;
using System.Globalization;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.Streaming.Redis.Link;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Faults;
using StackExchange.Redis;

namespace AspireStreaming.StreamApi.Tests.Faults;

/// <summary>
/// The Stream API reaches Redis through a link that can be spoilt, while events are published and read: every event arrives once, in
/// order, and all of them within 30 s of the end of the disturbance.
/// </summary>
public sealed class RedisLinkTests : IAsyncLifetime
{
    private const int Readers = 3;

    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PublishInterval = TimeSpan.FromMilliseconds(5);

    private readonly string[] _streams = [TestLog.NewStream("a"), TestLog.NewStream("b")];
    private readonly string _folder = Directory.CreateTempSubdirectory("streamapi-link-").FullName;
    private RedisProcess _redis = null!;
    private TcpFaultProxy _proxy = null!;
    private StreamApiHost _host = null!;
    private TestLog _log = null!;
    private readonly int[] _published = new int[2];
    private int _replaced;

    public async ValueTask InitializeAsync()
    {
        // On disk before it is acknowledged: these tests are about the way to Redis, not about what a kill makes it forget.
        _redis = await RedisProcess.StartAsync(
            dataFolder: _folder, arguments: ["--appendfsync", "always"], cancellationToken: TestContext.Current.CancellationToken);
        _proxy = TcpFaultProxy.Start(_redis.Port);
        _log = new TestLog(_redis.ConnectionString);
        _host = await StreamApiHost.StartAsync(
            string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_proxy.Port}"),
            "--RedisLink:CheckInterval=00:00:00.200",
            "--RedisLink:CheckTimeout=00:00:00.500",
            "--HotLog:CommandTimeout=00:00:00.500",
            "--Logging:LogLevel:Default=Error");
        _host.Get<RedisLink>().Replaced += () => Interlocked.Increment(ref _replaced);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _proxy.DisposeAsync();
        _log.Dispose();
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Silent_connections_are_replaced_and_every_event_arrives_once()
    {
        await DisturbAsync(async () =>
        {
            _proxy.StallExisting();
            await Eventually.TrueAsync(
                () => Volatile.Read(ref _replaced) > 0, Recovery, "the connections are replaced", TestContext.Current.CancellationToken);
        });

        // The old ones are reset now; were they still in use, they would come back.
        _proxy.Mend();
        await Eventually.TrueAsync(() => _proxy.Open == 3, Recovery, "only the new connections are left", TestContext.Current.CancellationToken);
        Assert.Equal(1, _replaced);
    }

    [Fact]
    public async Task Answers_that_do_not_come_through_are_waited_for_and_every_event_arrives_once() => await DisturbAsync(async () =>
    {
        _proxy.Stall(LinkDirections.ToClient);
        await FailedChecksAsync();
        _proxy.Mend();
    });

    [Fact]
    public async Task Commands_that_do_not_come_through_are_waited_for_and_every_event_arrives_once() => await DisturbAsync(async () =>
    {
        _proxy.Stall(LinkDirections.ToServer);
        await FailedChecksAsync();
        _proxy.Mend();
    });

    [Fact]
    public async Task Reset_connections_come_back_and_every_event_arrives_once() => await DisturbAsync(async () =>
    {
        for (var reset = 0; reset < 3; reset++)
        {
            _proxy.Reset();
            await Eventually.TrueAsync(() => _proxy.Open >= 2, Recovery, "they are back", TestContext.Current.CancellationToken);
            await MorePublishedAsync();
        }
    });

    [Fact]
    public async Task Subscriptions_killed_at_the_server_come_back_and_every_event_arrives_once() => await DisturbAsync(async () =>
    {
        for (var kill = 0; kill < 3; kill++)
        {
            var accepted = _proxy.Accepted;
            await _redis.SendAsync("CLIENT KILL TYPE pubsub", TestContext.Current.CancellationToken);
            await Eventually.TrueAsync(() => _proxy.Accepted > accepted, Recovery, "it is back", TestContext.Current.CancellationToken);
            await MorePublishedAsync();
        }
    });

    [Fact]
    public async Task Frozen_redis_keeps_its_connections_and_every_event_arrives_once()
    {
        await DisturbAsync(async () =>
        {
            _redis.Suspend();
            await FailedChecksAsync();
            _redis.Resume();
        });

        await Eventually.TrueAsync(() => _proxy.Open == 3, Recovery, "tried connections are closed", TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Killed_redis_restarts_from_its_file_and_every_event_arrives_once() => await DisturbAsync(async () =>
    {
        _redis.Kill();
        await FailedChecksAsync();
        await _redis.StartAsync(TestContext.Current.CancellationToken);
    });

    /// <summary>Long enough for several checks to fail and for waits to grow.</summary>
    private static async Task FailedChecksAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(3), TimeProvider.System);
        await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
    }

    private async Task DisturbAsync(Func<Task> disturb)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var clients = new List<(int Stream, SseClient Client)>();
        using var stop = new CancellationTokenSource();
        try
        {
            for (var stream = 0; stream < _streams.Length; stream++)
            {
                for (var reader = 0; reader < Readers; reader++)
                {
                    var client = await _host.OpenAsync($"/streams/{_streams[stream]}/events");
                    await client.ReadControlAsync("stream.caught-up");
                    clients.Add((stream, client));
                }
            }

            var publishing = Enumerable.Range(0, _streams.Length).Select(stream => PublishAsync(stream, stop.Token)).ToArray();
            await MorePublishedAsync();
            await disturb();
            var over = Stopwatch.StartNew();
            await MorePublishedAsync();
            await stop.CancelAsync();
            var published = await Task.WhenAll(publishing);

            await Task.WhenAll(clients.Select(reader => ReadAllAsync(reader.Client, published[reader.Stream])))
                .WaitAsync(Recovery, TimeProvider.System, cancellationToken);
            TestContext.Current.TestOutputHelper?.WriteLine($"{published.Sum()} events; complete {over.Elapsed.TotalSeconds:0.0} s after the disturbance");
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var (_, client) in clients)
            {
                await client.DisposeAsync();
            }
        }
    }

    private Task MorePublishedAsync()
    {
        int[] before = [.. _published];
        return Eventually.TrueAsync(
            () => before.Index().All(count => Volatile.Read(ref _published[count.Index]) >= count.Item + 20),
            Recovery,
            "more is published to every stream",
            TestContext.Current.CancellationToken);
    }

    /// <summary>Publishes numbers until told to stop, each until it is acknowledged.</summary>
    private async Task<int> PublishAsync(int stream, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(PublishInterval, TimeProvider.System);
        for (var number = 1; ; number++)
        {
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);

            // One request, so that a try that ran without an answer is not a second event.
            var request = new AppendRequest { Stream = _streams[stream], Events = [_log.Event(data: number.ToString(CultureInfo.InvariantCulture))] };
            await Eventually.TrueAsync(() => TryAppendAsync(request), Recovery, "Redis takes the event", TestContext.Current.CancellationToken);
            Volatile.Write(ref _published[stream], number);
            if (stop.IsCancellationRequested)
            {
                return number;
            }
        }
    }

    private async Task<bool> TryAppendAsync(AppendRequest request)
    {
        try
        {
            return (await _log.Log.AppendAsync(request, TestContext.Current.CancellationToken)).Status == AppendStatus.Appended;
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or FenceException)
        {
            return false;
        }
    }

    private static async Task ReadAllAsync(SseClient client, int last)
    {
        for (var number = 1; number <= last; number++)
        {
            Assert.Equal(number, (await client.ReadEventAsync(Recovery)).Number);
        }
    }
}
