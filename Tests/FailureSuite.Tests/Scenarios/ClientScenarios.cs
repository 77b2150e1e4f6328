using System.Net;
using System.Net.Sockets;
using System.Text;
using AspireStreaming.SystemSupport;
using AspireStreaming.SystemSupport.Subscribing;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Faults;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>Clients that are slow, gone, many, forgetful or hostile.</summary>
internal static class ClientScenarios
{
    private const int MaxBulkEvents = 200;

    public static IEnumerable<Scenario> All =>
    [
        new("reconnect-storm", Target.Clients, StormAsync) { IsShort = true, Combines = false },
        new("half-open-connections", Target.Clients, HalfOpenAsync),
        new("stalled-readers", Target.Clients, StallAsync) { IsShort = true },
        new("resume-from-everywhere", Target.Clients, ResumeAsync) { IsShort = true },
        new("answers-lost", Target.Clients, LoseAnswersAsync) { IsShort = true },
        new("malformed-and-oversized", Target.Clients, MalformAsync) { IsShort = true },
        new("slowloris", Target.Clients, CrawlAsync),
    ];

    private static Uri Address(Breakage broken, string service) => broken.World.System.App.GetEndpoint(service, "http");

    /// <summary>Many subscribers are thrown out at once, and come back at once.</summary>
    private static async Task StormAsync(Breakage broken)
    {
        var count = SuiteSettings.IsFull ? 1_000 : 200;
        var stream = broken.Run.QuietStream("storm");
        await using var publisher = broken.Run.NewPublisher("storm");
        await publisher.PublishAsync(stream, 20, Breakage.Cancelled);
        await using var proxy = TcpFaultProxy.Start(Address(broken, "stream-api").Port);
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = int.MaxValue };
        var subscribers = Enumerable.Range(0, count)
            .Select(_ => broken.Run.FollowBySse("storm", stream, client: Through(proxy, handler)))
            .ToArray();
        await SeenAsync(subscribers, 20);

        proxy.Reset();
        await publisher.PublishAsync(stream, 20, Breakage.Cancelled);
        await SeenAsync(subscribers, 40);
        await Task.WhenAll(subscribers.Select(subscriber => subscriber.DisposeAsync().AsTask()));
    }

    /// <summary>The network forgets connections: no side hears of it, and the client's silence timeout must.</summary>
    private static async Task HalfOpenAsync(Breakage broken)
    {
        await using var proxy = TcpFaultProxy.Start(Address(broken, "stream-api").Port);
        using var handler = new SocketsHttpHandler();
        var subscribers = broken.Run.Streams
            .Select(stream => broken.Run.FollowBySse("half-open", stream, client: Through(proxy, handler), silence: TimeSpan.FromSeconds(5)))
            .ToArray();
        await SeenAsync(subscribers, 10);
        var before = subscribers.Sum(subscriber => subscriber.Connections);
        proxy.StallExisting();
        await Eventually.TrueAsync(
            () => subscribers.Sum(subscriber => subscriber.Connections) >= before + subscribers.Length,
            TimeSpan.FromSeconds(30), "every half-open subscriber to connect again", Breakage.Cancelled);
        var seen = broken.Run.History.AcknowledgedIn(broken.Run.Streams[0]).Count;
        await Eventually.TrueAsync(() => subscribers[0].Track.Count >= seen, TimeSpan.FromSeconds(30), "it to catch up", Breakage.Cancelled);
        await Task.WhenAll(subscribers.Select(subscriber => subscriber.DisposeAsync().AsTask()));
    }

    /// <summary>Readers that read nothing are thrown out after the write timeout and hold up nobody.</summary>
    private static async Task StallAsync(Breakage broken)
    {
        var stream = broken.Run.QuietStream("stalled");
        await using var publisher = broken.Run.NewPublisher("bulk");
        publisher.Payload = new string('x', 256 * 1024);
        var follower = broken.Run.FollowBySse("beside stalled", stream);
        var readers = new RawClient?[5];
        try
        {
            var polls = 0;
            await Eventually.TrueAsync(
                async () =>
                {
                    // Where another fault ends the Stream API, they come once more.
                    if (polls++ % 20 == 0)
                    {
                        await StallReadersAsync(readers, stream, broken);
                    }

                    return await broken.ConnectionsAsync(stream) is { } connections && connections.Count == readers.Length + 1;
                },
                TimeSpan.FromSeconds(60), "all readers to be connected", Breakage.Cancelled);

            // Until no buffer on the way takes any more: what that needs depends on the machine.
            var published = 0;
            await Eventually.TrueAsync(
                async () =>
                {
                    for (var part = 0; part < 16 && published < MaxBulkEvents; part++)
                    {
                        published += (await publisher.PublishAsync(stream, 1, Breakage.Cancelled)).Count;
                    }

                    return await broken.ConnectionsAsync(stream) is { Count: 1 };
                },
                TimeSpan.FromSeconds(60), "the stalled readers to be thrown out", Breakage.Cancelled);
            await SeenAsync([follower], published);
        }
        finally
        {
            foreach (var reader in readers)
            {
                reader?.Dispose();
            }
        }
    }

    private static async Task StallReadersAsync(RawClient?[] readers, string stream, Breakage broken)
    {
        for (var index = 0; index < readers.Length; index++)
        {
            readers[index]?.Dispose();
            try
            {
                var reader = await RawClient.ConnectAsync(Address(broken, "stream-api"), Breakage.Cancelled);
                readers[index] = reader;
                await reader.SendAsync($"GET /streams/{stream}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n", Breakage.Cancelled);
            }
            catch (SocketException)
            {
                // Later.
            }
        }
    }

    /// <summary>Subscribers that begin behind every kind of position get what comes after it, and all of it.</summary>
    private static async Task ResumeAsync(Breakage broken)
    {
        // A border between epochs to resume across, and enough events to have some in the archive only.
        await broken.World.Redis.RestartAsync(cancellationToken: Breakage.Cancelled);
        await Breakage.HoldAsync(2);
        var subscribers = new List<LoadSubscriber>();
        foreach (var stream in broken.Run.Streams)
        {
            var known = broken.Run.History.AcknowledgedIn(stream).Select(item => item.Position).Order().ToArray();
            LogPosition[] starts = [known[0], known[^1], .. Enumerable.Range(0, 4).Select(_ => known[broken.Random.Next(known.Length)])];
            subscribers.AddRange(starts.Select(start => broken.Run.FollowBySse("resumed", stream, start)));
        }

        using var client = broken.World.System.Client("stream-api");
        var first = broken.Run.Streams[0];
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(client, $"/streams/{first}/events?from=never"));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusAsync(client, $"/streams/{first}/events?from=1-2-3"));
        Assert.Contains("\"gap\":{", await PageAsync(client, $"/streams/{first}/events?from=1-1&limit=1"), StringComparison.Ordinal);
        Assert.Contains("\"reason\":\"epoch\"", await PageAsync(client, $"/streams/{first}/events?from=99999999999999-5&limit=1"), StringComparison.Ordinal);
        await Eventually.TrueAsync(
            () => subscribers.TrueForAll(subscriber => subscriber.Track.Count > 0), TimeSpan.FromSeconds(30), "every resumed subscriber to get events", Breakage.Cancelled);
    }

    /// <summary>Requests arrive, their answers do not: the publisher sends everything again.</summary>
    private static async Task LoseAnswersAsync(Breakage broken)
    {
        await using var proxy = TcpFaultProxy.Start(Address(broken, "publisher-api").Port);
        using var handler = new SocketsHttpHandler();
        await using var publisher = broken.Run.NewPublisher("unanswered", Through(proxy, handler));
        publisher.Start();
        for (var time = 0; time < (SuiteSettings.IsFull ? 20 : 6); time++)
        {
            proxy.Stall(LinkDirections.ToClient);
            await Breakage.HoldAsync(0.15);
            proxy.Reset();
            proxy.Mend();
            await Breakage.HoldAsync(0.15);
        }

        await publisher.StopAsync(TimeSpan.FromSeconds(30));
        Assert.True(publisher.Retries > 0, "no answer was lost");
    }

    /// <summary>Rubbish at rate is refused with its reason and changes nothing.</summary>
    private static async Task MalformAsync(Breakage broken)
    {
        using var client = broken.World.System.Client("publisher-api");
        var target = new Uri($"/streams/{broken.Run.Streams[0]}/events", UriKind.Relative);
        (string Body, HttpStatusCode Expected)[] requests =
        [
            ("{", HttpStatusCode.BadRequest),
            ("[]", HttpStatusCode.BadRequest),
            ("{\"data\":1}", HttpStatusCode.BadRequest),
            ("{\"type\":\"stream.end\"}", HttpStatusCode.BadRequest),
            ("{\"type\":\"a\",\"position\":\"1-1\"}", HttpStatusCode.BadRequest),
            ("{\"type\":\"a\",\"data\":" + new string('[', 100) + new string(']', 100) + "}", HttpStatusCode.BadRequest),
            ("{\"type\":\"a\",\"data\":\"" + new string('x', 2 << 20) + "\"}", HttpStatusCode.RequestEntityTooLarge),
            ("[" + string.Join(',', Enumerable.Repeat("{\"type\":\"a\"}", 1_001)) + "]", HttpStatusCode.RequestEntityTooLarge),
        ];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, SuiteSettings.IsFull ? 2_000 : 300),
            new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Breakage.Cancelled },
            async (index, cancellationToken) =>
            {
                var (body, expected) = requests[index % requests.Length];
                using var response = await AnswerAsync(
                    async () =>
                    {
                        using var content = new StringContent(body, Encoding.UTF8, "application/json");
                        return await client.PostAsync(target, content, cancellationToken);
                    },
                    "a request to be refused");
                var passing = response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests;
                Assert.True(passing || response.StatusCode == expected, $"{expected} was to be, {response.StatusCode} came for {body[..Math.Min(body.Length, 60)]}");
                Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
            });
    }

    /// <summary>Clients that send their request line by line, for ever, hold up nobody and are thrown out.</summary>
    private static async Task CrawlAsync(Breakage broken)
    {
        string[] services = ["publisher-api", "stream-api"];
        var clients = new List<RawClient>();
        try
        {
            foreach (var service in services)
            {
                clients.AddRange(await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => ConnectAsync(Address(broken, service)))));
            }

            foreach (var client in clients)
            {
                await client.TrySendAsync("GET /streams HTTP/1.1\r\nHost: x\r\n", Breakage.Cancelled);
            }

            await Eventually.TrueAsync(
                async () =>
                {
                    foreach (var client in clients.Where(client => !client.IsClosedByPeer))
                    {
                        await client.TrySendAsync("X-A: b\r\n", Breakage.Cancelled);
                    }

                    await Pause.ForAsync(TimeSpan.FromSeconds(1), Breakage.Cancelled);
                    return clients.TrueForAll(client => client.IsClosedByPeer);
                },
                TimeSpan.FromSeconds(60), "the crawling clients to be thrown out", Breakage.Cancelled);
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
    }

    private static HttpClient Through(TcpFaultProxy proxy, SocketsHttpHandler handler) => new(handler, disposeHandler: false)
    {
        BaseAddress = new Uri($"http://127.0.0.1:{proxy.Port}"),
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private static Task SeenAsync(SseSubscriber[] subscribers, int count) => Eventually.TrueAsync(
        () => Array.TrueForAll(subscribers, subscriber => subscriber.Track.Count >= count),
        TimeSpan.FromSeconds(60), $"{subscribers.Length} subscribers to have {count} events", Breakage.Cancelled);

    /// <summary>What there is to be had of a service, once it can be had: another fault may have taken the service away.</summary>
    private static async Task<T> WhenThereAsync<T, TFailure>(Func<Task<T>> attempt, string what)
        where TFailure : Exception
    {
        var result = default(T);
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    result = await attempt();
                    return true;
                }
                catch (TFailure)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(30), what, Breakage.Cancelled);
        return result!;
    }

    private static Task<RawClient> ConnectAsync(Uri address) => WhenThereAsync<RawClient, SocketException>(
        () => RawClient.ConnectAsync(address, Breakage.Cancelled), $"a connection to {address}");

    private static Task<HttpResponseMessage> AnswerAsync(Func<Task<HttpResponseMessage>> send, string what) =>
        WhenThereAsync<HttpResponseMessage, HttpRequestException>(send, what);

    /// <summary>A page, once it can be had: while another fault keeps Redis away there is none.</summary>
    private static async Task<string> PageAsync(HttpClient client, string path)
    {
        var page = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var response = await GetAsync(client, path);
                page = await response.Content.ReadAsStringAsync(Breakage.Cancelled);
                return response.StatusCode != HttpStatusCode.ServiceUnavailable;
            },
            TimeSpan.FromSeconds(30), $"a page from {path}", Breakage.Cancelled);
        return page;
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var response = await GetAsync(client, path);
        return response.StatusCode;
    }

    private static Task<HttpResponseMessage> GetAsync(HttpClient client, string path) =>
        AnswerAsync(() => client.GetAsync(new Uri(path, UriKind.Relative), Breakage.Cancelled), $"an answer from {path}");
}
