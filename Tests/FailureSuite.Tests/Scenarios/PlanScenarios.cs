using System.Net;
using System.Text;
using System.Text.Json;
using AspireStreaming.SystemSupport.Subscribing;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Faults;

namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>The scenarios that the Pub/Sub plan and the streaming manager's plan name.</summary>
internal static class PlanScenarios
{
    private const double Disconnected = 5;
    private const double BeyondAge = 25;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static IEnumerable<Scenario> All =>
    [
        new("plan-reconnect-after-redis-restart", Target.Redis, ReconnectAsync),
        new("plan-catch-up-after-disconnect", Target.Clients, broken => CatchUpAsync(broken, events: 20, Disconnected)),
        new("plan-catch-up-beyond-the-buffer", Target.Clients, broken => CatchUpAsync(broken, events: 900, Disconnected)) { IsShort = true },
        new("plan-catch-up-beyond-its-age", Target.Clients, broken => CatchUpAsync(broken, events: 50, BeyondAge)) { Combines = false },
        new("plan-breaker", Target.RedisLinks, BreakerAsync) { IsShort = true, Combines = false },
        new("plan-ten-subscribers-hundred-messages", Target.Clients, TenByHundredAsync),
        new("plan-stale-connection", Target.RedisLinks, StaleAsync) { Combines = false },
        new("plan-hundred-subscriptions", Target.Clients, broken => ComeAndGoAsync(broken, 100)) { Combines = false },
        new("manager-cleanup", Target.Clients, broken => ComeAndGoAsync(broken, SuiteSettings.IsFull ? 1_000 : 200)) { IsShort = true, Combines = false },
        new("manager-shutdown", Target.Services, ShutDownAsync) { Combines = false },
        new("manager-critical-alert", Target.RedisLinks, AlertAsync) { IsShort = true, Combines = false },
    ];

    private static async Task ReconnectAsync(Breakage broken)
    {
        var connections = broken.Run.Subscribers.OfType<SseSubscriber>().Sum(subscriber => subscriber.Connections);
        await broken.World.Redis.RestartAsync(cancellationToken: Breakage.Cancelled);
        await broken.Run.RecoverAsync();

        // It is the Stream API that reconnects; its clients need not know.
        Assert.Equal(connections, broken.Run.Subscribers.OfType<SseSubscriber>().Sum(subscriber => subscriber.Connections));
    }

    /// <summary>A subscriber is away for a while and finds all that was published, from whatever tier has it by then.</summary>
    private static async Task CatchUpAsync(Breakage broken, int events, double seconds)
    {
        var stream = broken.Run.QuietStream("away");
        await using var proxy = TcpFaultProxy.Start(broken.World.System.App.GetEndpoint("stream-api", "http").Port);
        using var handler = new SocketsHttpHandler();
        await using var publisher = broken.Run.NewPublisher("away");
        await publisher.PublishAsync(stream, 5, Breakage.Cancelled);
        var subscriber = broken.Run.FollowBySse("away", stream, client: new HttpClient(handler, disposeHandler: false)
        {
            BaseAddress = new Uri($"http://127.0.0.1:{proxy.Port}"),
            Timeout = Timeout.InfiniteTimeSpan,
        });
        await Eventually.TrueAsync(() => subscriber.Track.Count == 5, Patience, "the subscriber to have 5 events", Breakage.Cancelled);

        proxy.Refuse();
        for (var published = 0; published < events; published += 10)
        {
            await publisher.PublishAsync(stream, 10, Breakage.Cancelled);
        }

        await Breakage.HoldAsync(seconds);
        proxy.Mend();
        await Eventually.TrueAsync(
            () => subscriber.Track.Count == 5 + events, Patience, $"the subscriber to have {5 + events} events", Breakage.Cancelled);
        await subscriber.DisposeAsync();
    }

    /// <summary>Opens after five failures, so that publishes are refused at once; one is let through after a while, and closes it.</summary>
    private static async Task BreakerAsync(Breakage broken)
    {
        using var client = broken.World.System.Client("publisher-api");
        var target = new Uri($"/streams/{broken.Run.QuietStream("breaker")}/events", UriKind.Relative);
        broken.World.RedisLinks["publisher-api"].Refuse();
        await Eventually.TrueAsync(
            async () => (await PostAsync(client, target)).Body.Contains("urn:aspirestreaming:problem:circuit-open", StringComparison.Ordinal),
            Patience, "the circuit to open", Breakage.Cancelled);
        broken.World.RedisLinks["publisher-api"].Mend();
        await Eventually.TrueAsync(
            async () => (await PostAsync(client, target)).Status == HttpStatusCode.OK, Patience, "the circuit to close", Breakage.Cancelled);
        var log = await broken.World.System.LogAsync("publisher-api", Breakage.Cancelled);
        Assert.Contains("Redis failed 5 times in a row", log, StringComparison.Ordinal);
        Assert.Contains("One publish is let through", log, StringComparison.Ordinal);
        Assert.Contains("publishes are let through", log, StringComparison.Ordinal);
    }

    private static async Task TenByHundredAsync(Breakage broken)
    {
        var stream = broken.Run.QuietStream("hundred");
        await using var publisher = broken.Run.NewPublisher("hundred");
        var subscribers = Enumerable.Range(0, 10).Select(_ => broken.Run.FollowBySse("ten", stream)).ToArray();
        await Task.WhenAll(subscribers.Select(subscriber => subscriber.Connected.WaitAsync(Patience, Breakage.Cancelled)));
        for (var message = 0; message < 100; message++)
        {
            await publisher.PublishAsync(stream, 1, Breakage.Cancelled);
        }

        await Eventually.TrueAsync(
            () => Array.TrueForAll(subscribers, subscriber => subscriber.Track.Count == 100), Patience, "ten subscribers to have 100 events", Breakage.Cancelled);
    }

    /// <summary>The Stream API's connections to Redis go silent for good. New ones work, but it must find out that it needs them.</summary>
    private static Task StaleAsync(Breakage broken)
    {
        broken.World.RedisLinks["stream-api"].StallExisting();
        return Task.CompletedTask;
    }

    /// <summary>Many short subscriptions leave no connection behind.</summary>
    private static async Task ComeAndGoAsync(Breakage broken, int count)
    {
        var stream = broken.Run.QuietStream("short");
        await using (var publisher = broken.Run.NewPublisher("short"))
        {
            await publisher.PublishAsync(stream, 1, Breakage.Cancelled);
        }

        await Parallel.ForEachAsync(
            Enumerable.Range(0, count),
            new ParallelOptions { MaxDegreeOfParallelism = 20, CancellationToken = Breakage.Cancelled },
            async (_, cancellationToken) =>
            {
                await using var subscriber = broken.Run.FollowBySse("short", stream);
                await Eventually.TrueAsync(() => subscriber.Track.Count == 1, Patience, "a short subscription to get its event", cancellationToken);
            });
        await Eventually.TrueAsync(
            async () => await broken.ConnectionsAsync(stream) is { Count: 0 }, Patience, $"no connection to {stream} to be left", Breakage.Cancelled);
    }

    private static async Task ShutDownAsync(Breakage broken)
    {
        var system = broken.World.System;
        foreach (var instance in await system.InstancesAsync("stream-api", Breakage.Cancelled))
        {
            // A process that outlives its deadline is killed, which its exit code tells.
            await ServiceScenarios.RestartAsync(broken, "stream-api", instance);
        }
    }

    /// <summary>A critical event that cannot be accepted is reported, whatever its publisher does about it.</summary>
    private static async Task AlertAsync(Breakage broken)
    {
        using var client = broken.World.System.Client("publisher-api");
        var stream = broken.Run.QuietStream("critical");
        broken.World.RedisLinks["publisher-api"].Refuse();
        var (status, body) = await PostAsync(client, new Uri($"/streams/{stream}/events", UriKind.Relative), "WORKFLOW_FAILED");
        broken.World.RedisLinks["publisher-api"].Mend();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        using var problem = JsonDocument.Parse(body);
        Assert.StartsWith("urn:aspirestreaming:problem:", problem.RootElement.GetProperty("type").GetString(), StringComparison.Ordinal);
        await Eventually.TrueAsync(
            async () =>
            {
                var log = await broken.World.System.LogAsync("publisher-api", Breakage.Cancelled);
                return log.Contains($"1 critical events, the first of type WORKFLOW_FAILED, could not be accepted into stream {stream}", StringComparison.Ordinal);
            },
            Patience, "the alert in the log", Breakage.Cancelled);
    }

    private static async Task<(HttpStatusCode Status, string Body)> PostAsync(HttpClient client, Uri target, string type = "token")
    {
        using var content = new StringContent($$"""{"type":"{{type}}"}""", Encoding.UTF8, "application/json");
        using var response = await client.PostAsync(target, content, Breakage.Cancelled);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Breakage.Cancelled));
    }
}
