using System.Globalization;
using AspireStreaming.Client;
using AspireStreaming.FailureSuite.Tests.Running;
using AspireStreaming.SystemSupport;
using AspireStreaming.SystemSupport.Publishing;
using AspireStreaming.SystemSupport.Subscribing;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.FailureSuite.Tests.Mixed;

/// <summary>
/// Some streams from their first event to their end: published to for a while, followed on every transport by readers that keep up, that
/// are slow, that are thrown out again and again; ended, read again, judged, deleted and forgotten.
/// </summary>
internal sealed class MixedWave(MixedRun owner, int number, Random random)
{
    private const int Bursts = 2;
    private const int BurstBatches = 5;
    private const int BurstBatch = 40;
    private const int BurstPayload = 4 * 1024;

    private static readonly LoadShape Shape = new()
    {
        Streams = 3,
        PublishInterval = TimeSpan.FromMilliseconds(500),
        PollPause = TimeSpan.FromMilliseconds(500),
        EndType = "WORKFLOW_COMPLETED",
    };

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Lives its life.</summary>
    /// <returns>The judgement, with what the audit of each stream said against it.</returns>
    public async Task<(HistoryReport Report, IReadOnlyList<string> Audit)> RunAsync(TimeSpan life)
    {
        await using var run = await ScenarioRun.StartAsync(owner.World, string.Create(CultureInfo.InvariantCulture, $"{owner.Prefix}-{number}"), Shape);
        AddSlowReaders(run);
        AddReturningReaders(run);
        AddClient(run);
        var bulk = run.QuietStream("bulk");
        run.Add(new SseSubscriber(Through(owner.Narrow.Port), run.History.Follow("narrow sse", bulk), run.History));
        run.Add(new GrpcSubscriber(owner.World.System.Channel("stream-api"), run.History.Follow("grpc", bulk), run.History));
        await using (var publisher = run.NewPublisher("bulk"))
        {
            publisher.Payload = new string('x', BurstPayload);
            for (var burst = 0; burst < Bursts; burst++)
            {
                await BurstAsync(publisher, bulk);
                await Pause.ForAsync(life / Bursts, Cancelled);
            }
        }

        var report = await run.FinishAsync();
        var streams = run.History.Streams.ToArray();
        return (report, await owner.AuditAndDeleteAsync(streams));
    }

    /// <summary>More at once than a narrow link takes, so that its reader has to fall back to the hot log.</summary>
    private static async Task BurstAsync(HttpPublisher publisher, string stream)
    {
        for (var batch = 0; batch < BurstBatches; batch++)
        {
            await publisher.PublishAsync(stream, BurstBatch, Cancelled);
        }
    }

    private void AddSlowReaders(ScenarioRun run)
    {
        var system = owner.World.System;
        var first = run.Streams[0];
        run.Add(new WebSocketSubscriber(
            system.App.GetEndpoint("stream-api", "http"), [run.History.Follow("slow websocket", first)], run.History)
        {
            Pace = Slow(run),
        });
        run.Add(new GrpcSessionSubscriber(system.Channel("stream-api"), [run.History.Follow("slow session", run.Streams[1])], run.History)
        {
            Pace = Slow(run),
        });
        run.Add(new SseSubscriber(system.Client("stream-api"), run.History.Follow("slow sse", first), run.History)
        {
            Pace = Slow(run),
            SilenceTimeout = TimeSpan.FromMinutes(1),
        });
    }

    private void AddReturningReaders(ScenarioRun run)
    {
        var stream = run.Streams[2];
        run.Add(new SseSubscriber(Through(owner.Flaky.Port), run.History.Follow("returning sse", stream), run.History));
        run.Add(new MultiStreamSubscriber(Through(owner.Flaky.Port), [.. run.Streams.Select(name => run.History.Follow("returning multi", name))], run.History));
        run.Add(new WebSocketSubscriber(Address(owner.Flaky.Port), [run.History.Follow("returning websocket", stream)], run.History));
        run.Add(new GrpcSubscriber(owner.FlakyChannel, run.History.Follow("returning grpc", stream), run.History));
        run.Add(new GrpcSessionSubscriber(owner.FlakyChannel, [run.History.Follow("returning session", stream)], run.History));
    }

    private void AddClient(ScenarioRun run)
    {
        var system = owner.World.System;
        var transports = Enum.GetValues<StreamTransport>();
        var transport = transports[number % transports.Length];
        var options = new StreamingClientOptions { StreamApiGrpcUrl = system.App.GetEndpoint("stream-api", "grpc") };
        run.Add(new ClientSubscriber(
            new EventSubscriber(system.Client("stream-api"), options), transport, run.History.Follow($"client {transport}", run.Streams[0]), run.History));
        run.Add(new ClientPublisher(system.Client("publisher-api"), "client", run.History, run.Streams, Shape.PublishInterval));
    }

    private Func<CancellationToken, Task> Slow(ScenarioRun run) => new Drowsiness(new Random(random.Next()), run.Finishing).PaceAsync;

    private static Uri Address(int port) => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));

    private static HttpClient Through(int port) => new(new SocketsHttpHandler()) { BaseAddress = Address(port), Timeout = Timeout.InfiniteTimeSpan };
}
