using System.Globalization;
using AspireStreaming.FailureSuite.Tests.World;
using AspireStreaming.SystemSupport;
using AspireStreaming.SystemSupport.Publishing;
using AspireStreaming.SystemSupport.Subscribing;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.FailureSuite.Tests.Running;

/// <summary>
/// The continuous load of one scenario: publishers over HTTP and gRPC, one of which sends everything twice, and subscribers on every
/// transport; at the end subscribers that read everything again from the beginning, and the judgement.
/// </summary>
internal sealed class ScenarioRun : IAsyncDisposable
{
    private const int WarmUpEvents = 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan SettleLimit = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan RecoveryLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan AfterRecovery = TimeSpan.FromMilliseconds(500);

    private readonly FailureWorld _world;
    private readonly LoadShape _shape;
    private readonly string _prefix;
    private readonly CancellationTokenSource _finishing = new();
    private readonly List<LoadPublisher> _publishers = [];
    private readonly List<LoadSubscriber> _subscribers = [];
    private readonly HttpPublisher _probe;

    private ScenarioRun(FailureWorld world, string scenario, LoadShape shape)
    {
        _world = world;
        _shape = shape;
        _prefix = $"{scenario}-{Guid.NewGuid().ToString("N")[..8]}";
        Streams = [.. Enumerable.Range(0, shape.Streams).Select(index => string.Create(CultureInfo.InvariantCulture, $"{_prefix}-{index}"))];
        _probe = new HttpPublisher(world.System.Client("publisher-api"), "probe", History, Streams);
        var system = world.System;
        var interval = shape.PublishInterval;
        _publishers.Add(new HttpPublisher(system.Client("publisher-api"), "http", History, Streams, interval));
        _publishers.Add(new HttpPublisher(system.Client("publisher-api"), "twice", History, Streams, interval) { RepeatsEverything = true });
        _publishers.Add(new HttpPublisher(system.Client("publisher-api"), "unnamed", History, Streams, interval) { LeavesIdsToTheService = true });
        _publishers.Add(new GrpcPublisher(system.Channel("publisher-api"), "grpc", History, Streams, streaming: false, interval));
        _publishers.Add(new GrpcPublisher(system.Channel("publisher-api"), "grpc-stream", History, Streams, streaming: true, interval));
        for (var index = 0; index < Streams.Count; index++)
        {
            var stream = Streams[index];
            FollowBySse("sse", stream);
            if (index % 2 == 0)
            {
                Add(new GrpcSubscriber(system.Channel("stream-api"), History.Follow("grpc", stream), History));
            }
            else
            {
                Add(new PageSubscriber(system.Client("stream-api"), History.Follow("pages", stream), History));
            }
        }

        Add(new MultiStreamSubscriber(system.Client("stream-api"), FollowAll("multi"), History));
        Add(new WebSocketSubscriber(system.App.GetEndpoint("stream-api", "http"), FollowAll("websocket"), History));
        Add(new GrpcSessionSubscriber(system.Channel("stream-api"), FollowAll("session"), History));
    }

    public History History { get; } = new();

    public IReadOnlyList<string> Streams { get; }

    public IReadOnlyList<LoadSubscriber> Subscribers => _subscribers;

    /// <summary>Cancelled when the load ends: whoever takes its time catches up now.</summary>
    public CancellationToken Finishing => _finishing.Token;

    private IEnumerable<SubscriberTrack> Tracks => _subscribers.SelectMany(subscriber => subscriber.Tracks).Where(track => !track.IsClosed);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Starts the load and returns when every subscriber gets events.</summary>
    public static async Task<ScenarioRun> StartAsync(FailureWorld world, string scenario, LoadShape? shape = null)
    {
        var run = new ScenarioRun(world, scenario, shape ?? new LoadShape());
        try
        {
            foreach (var publisher in run._publishers)
            {
                publisher.Start();
            }

            await run.UntilAsync(
                () => run.Tracks.All(track => track.Count >= WarmUpEvents),
                Patience,
                () => $"every subscriber to have {WarmUpEvents} events; {run.Describe()}");
            return run;
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var publisher in _publishers)
        {
            await publisher.DisposeAsync();
        }

        await _probe.DisposeAsync();
        await Task.WhenAll(_subscribers.Select(subscriber => subscriber.DisposeAsync().AsTask()));
        _finishing.Dispose();
    }

    /// <summary>Adds a subscriber, which the run owns.</summary>
    public void Add(LoadSubscriber subscriber)
    {
        _subscribers.Add(subscriber);
        subscriber.Start();
    }

    /// <summary>Adds a publisher, which the run owns.</summary>
    public void Add(LoadPublisher publisher)
    {
        _publishers.Add(publisher);
        publisher.Start();
    }

    /// <summary>Adds a subscriber by SSE.</summary>
    public SseSubscriber FollowBySse(string name, string stream, LogPosition start = default, HttpClient? client = null, TimeSpan? silence = null)
    {
        var subscriber = new SseSubscriber(client ?? _world.System.Client("stream-api"), History.Follow(name, stream, start), History)
        {
            SilenceTimeout = silence ?? TimeSpan.FromSeconds(20),
        };
        Add(subscriber);
        return subscriber;
    }

    /// <summary>A stream of this run that the load does not publish to.</summary>
    public string QuietStream(string name) => $"{_prefix}-{name}";

    /// <summary>A publisher of this run for a scenario's own events.</summary>
    public HttpPublisher NewPublisher(string name, HttpClient? client = null) =>
        new(client ?? _world.System.Client("publisher-api"), name, History, Streams);

    /// <summary>The time until every subscriber has an event that was published after now.</summary>
    public async Task<TimeSpan> RecoverAsync()
    {
        var start = TimeProvider.System.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        limit.CancelAfter(RecoveryLimit);
        var probes = new Dictionary<string, string>();
        try
        {
            foreach (var stream in Streams)
            {
                probes[stream] = (await _probe.PublishAsync(stream, 1, limit.Token))[0];
            }
        }
        catch (OperationCanceledException) when (!Cancelled.IsCancellationRequested)
        {
            throw new TimeoutException($"No event was accepted within {RecoveryLimit.TotalSeconds:0} s of the end of the fault.");
        }

        await UntilAsync(
            () => !Waiting(probes).Any(),
            RecoveryLimit - TimeProvider.System.GetElapsedTime(start),
            () => $"every subscriber to have an event published after the fault; not so {string.Join("; ", Waiting(probes).Select(Describe))}");
        return TimeProvider.System.GetElapsedTime(start);
    }

    /// <summary>Stops the load, waits until all of it is delivered and archived, reads it all again, and judges.</summary>
    public async Task<HistoryReport> FinishAsync()
    {
        await Pause.ForAsync(AfterRecovery, Cancelled);
        foreach (var publisher in _publishers)
        {
            await publisher.StopAsync(Patience);
        }

        await _finishing.CancelAsync();
        if (_shape.EndType is { } end)
        {
            _probe.EventType = end;
            foreach (var stream in History.Streams.ToArray())
            {
                await _probe.PublishAsync(stream, 1, Cancelled);
            }
        }

        // What does not come in time is the checker's to name.
        await TryUntilAsync(History.IsDelivered);
        var streams = History.Streams.ToArray();
        IReadOnlyCollection<ArchivedRow> rows = [];
        await TryUntilAsync(async () =>
        {
            rows = await _world.Archive.ReadAsync(streams, Cancelled);
            var archived = rows.Select(row => (row.Stream, row.Id)).ToHashSet();
            return streams.All(stream => History.AcknowledgedIn(stream).All(item => archived.Contains((stream, item.Id))));
        });

        foreach (var stream in Streams)
        {
            FollowBySse("late sse", stream);
            Add(new PageSubscriber(_world.System.Client("stream-api"), History.Follow("late pages", stream), History));
        }

        await TryUntilAsync(History.IsDelivered);
        return HistoryChecker.Check(History, rows);
    }

    private SubscriberTrack[] FollowAll(string name) => [.. Streams.Select(stream => History.Follow(name, stream))];

    private Task TryUntilAsync(Func<bool> condition) => TryUntilAsync(() => Task.FromResult(condition()));

    private async Task TryUntilAsync(Func<Task<bool>> condition)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition() && TimeProvider.System.GetElapsedTime(start) < SettleLimit)
        {
            await Pause.ForAsync(_shape.PollPause, Cancelled);
        }
    }

    private async Task UntilAsync(Func<bool> condition, TimeSpan limit, Func<string> what)
    {
        try
        {
            await Eventually.TrueAsync(condition, limit, "the condition", Cancelled);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Not within {limit.TotalSeconds:0.#} s: {what()}. {HistoryChecker.Check(History)}");
        }
    }

    private IEnumerable<SubscriberTrack> Waiting(Dictionary<string, string> probes) =>
        Tracks.Where(track => probes.TryGetValue(track.Stream, out var id) && !track.HasSeen(id));

    private string Describe() => string.Join("; ", Tracks.Select(Describe));

    private static string Describe(SubscriberTrack track) => $"{track.Name} of {track.Stream} with {track.Count} events up to {track.Last}";
}
