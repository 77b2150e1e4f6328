using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using AspireStreaming.EventArchiver;
using AspireStreaming.PublisherApi;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Faults;
using AspireStreaming.TestSupport.Histories;
using Microsoft.AspNetCore.Builder;
using Npgsql;

namespace AspireStreaming.StreamApi.Tests.Faults;

/// <summary>
/// Two publishers under load, an archiver and live subscribers, while Redis forgets: all that was acknowledged is in the archive once,
/// and every subscriber saw each event once or was told.
/// </summary>
public sealed class HealedDeliveryTests : IAsyncLifetime
{
    private const int Streams = 6;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("healed-delivery-").FullName;
    private readonly List<WebApplication> _apps = [];
    private readonly List<HttpClient> _publishers = [];
    private readonly History _history = new();
    private readonly string[] _streams = [.. Enumerable.Range(0, Streams).Select(_ => TestLog.NewStream("healed"))];
    private RedisProcess _redis = null!;
    private RedisProcess? _replica;
    private PostgresProcess _postgres = null!;
    private NpgsqlDataSource _archive = null!;
    private TcpFaultProxy _proxy = null!;
    private StreamApiHost _delivery = null!;
    private long _published;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static string[] RedisArguments => ["--appendonly", "no", "--save", "", "--repl-diskless-sync-delay", "0"];

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync(dataFolder: _folder, arguments: RedisArguments, cancellationToken: Cancelled);
        _postgres = await PostgresProcess.StartAsync(fsync: false, cancellationToken: Cancelled);
        var database = await _postgres.CreateDatabaseAsync("events", Cancelled);
        _archive = NpgsqlDataSource.Create(database);
        _proxy = TcpFaultProxy.Start(_redis.Port);
        var redis = $"127.0.0.1:{_proxy.Port},connectTimeout=1000,syncTimeout=1000,abortConnect=false";
        string[] common =
        [
            "--environment=Development", $"--ConnectionStrings:redis={redis}", $"--ConnectionStrings:events={database}",
            "--Kestrel:Endpoints:http:Url=http://127.0.0.1:0", "--Kestrel:Endpoints:grpc:Url=http://127.0.0.2:0",
            "--Logging:LogLevel:Default=Warning", "--HotLog:HealingPhase=00:00:01",
        ];
        var archiver = ArchiverApp.Create([.. common, "--Archiver:LeaseDuration=00:00:03", "--Archiver:LeaseRenewal=00:00:01"]);
        _apps.Add(archiver);
        await archiver.StartAsync(Cancelled);
        for (var number = 0; number < 2; number++)
        {
            var publisher = PublisherApp.Create([.. common, "--Publisher:Redis:BreakDuration=00:00:00.500"]);
            _apps.Add(publisher);
            await publisher.StartAsync(Cancelled);
            _publishers.Add(new HttpClient
            {
                BaseAddress = new Uri(publisher.Urls.Single(url => url.Contains("127.0.0.1", StringComparison.Ordinal))),
            });
        }

        _delivery = await StreamApiHost.StartAsync(redis, $"--ConnectionStrings:events={database}", "--Delivery:TailCheckInterval=00:00:00.500");
    }

    public async ValueTask DisposeAsync()
    {
        await _delivery.DisposeAsync();
        foreach (var app in _apps)
        {
            await app.StopAsync(CancellationToken.None);
            await app.DisposeAsync();
        }

        _publishers.ForEach(client => client.Dispose());
        await _archive.DisposeAsync();
        await _proxy.DisposeAsync();
        await _redis.DisposeAsync();
        if (_replica is not null)
        {
            await _replica.DisposeAsync();
        }

        await _postgres.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public Task Killed_and_restarted_empty() => RunAsync(async () =>
    {
        _redis.Kill();
        File.Delete(Path.Combine(_folder, "dump.rdb"));
        await _redis.StartAsync(Cancelled);
    });

    [Fact]
    public Task Restarted_with_an_old_snapshot() => RunAsync(
        async () =>
        {
            _redis.Kill();
            await _redis.StartAsync(Cancelled);
        },
        async () => await _redis.SendAsync("SAVE", Cancelled));

    [Fact]
    public Task Failed_over_to_a_lagging_replica() => RunAsync(
        async () =>
        {
            _redis.Kill();
            _proxy.TargetPort = _replica!.Port;
            _proxy.Reset();
        },
        async () =>
        {
            _replica = await RedisProcess.StartAsync(
                arguments: [.. RedisArguments, "--replicaof", $"127.0.0.1 {_redis.Port.ToString(CultureInfo.InvariantCulture)}"], cancellationToken: Cancelled);
            var published = Interlocked.Read(ref _published);
            await Eventually.TrueAsync(
                async () => (await _replica.SendAsync("DBSIZE", Cancelled)) is [':', not '0', ..] && Interlocked.Read(ref _published) > published + 200,
                Deadline,
                "the replica follows",
                Cancelled);

            // From here on it lags: what comes now it will never have.
            await _replica.SendAsync("REPLICAOF NO ONE", Cancelled);
        });

    private async Task RunAsync(Func<Task> breakRedis, Func<Task>? prepare = null)
    {
        using var stopLoad = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        using var stopAll = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var following = _streams.Select(stream => FollowAsync(_history.Follow("sse", stream), stopAll.Token)).ToList();
        var load = Enumerable.Range(0, 2 * Streams).Select(number => PublishAsync(number, stopLoad.Token)).ToList();
        try
        {
            await PublishedAsync(500);
            await (prepare?.Invoke() ?? Task.CompletedTask);
            await PublishedAsync(500);
            await breakRedis();
            await PublishedAsync(500);
            await stopLoad.CancelAsync();
            await Task.WhenAll(load);
            await SettledAsync();
            var report = HistoryChecker.Check(_history, await ReadArchiveAsync());
            Assert.True(report.IsClean && report.Count(FindingKind.AnnouncedMissing) == 0, report.ToString());
        }
        finally
        {
            await stopLoad.CancelAsync();
            await stopAll.CancelAsync();
            await Task.WhenAll([.. load, .. following]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task PublishedAsync(int more)
    {
        var target = Interlocked.Read(ref _published) + more;
        await Eventually.TrueAsync(() => Interlocked.Read(ref _published) >= target, Deadline, $"{more} more events are acknowledged", Cancelled);
    }

    /// <summary>Publishes to one stream, one request after the other, each until it is acknowledged.</summary>
    private async Task PublishAsync(int number, CancellationToken stop)
    {
        var publisher = _publishers[number % 2];
        var stream = _streams[number / 2];
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        for (var sent = 0; !stop.IsCancellationRequested; sent++)
        {
            string[] ids = [.. Enumerable.Range(0, 1 + (sent % 3)).Select(index => $"{number}-{sent}-{index}")];
            _history.Send(stream, ids);
            while (true)
            {
                try
                {
                    using var response = await publisher.PostAsJsonAsync(
                        $"/streams/{stream}/events", ids.Select(id => new { id, type = "T", source = "/load" }), Cancelled);
                    if (response.StatusCode == HttpStatusCode.OK)
                    {
                        var answer = await response.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
                        _history.Acknowledge($"{number}", stream, ids, answer.GetProperty("first").GetString()!, answer.GetProperty("last").GetString()!);
                        Interlocked.Add(ref _published, ids.Length);
                        break;
                    }

                    Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
                }
                catch (HttpRequestException)
                {
                    // Tried again like a 503.
                }

                await pace.WaitForNextTickAsync(Cancelled);
            }

            await pace.WaitForNextTickAsync(Cancelled);
        }
    }

    private async Task FollowAsync(SubscriberTrack track, CancellationToken stop)
    {
        var start = "0-0";
        while (!stop.IsCancellationRequested)
        {
            await using var client = await _delivery.OpenAsync($"/streams/{track.Stream}/events", start);
            while (!stop.IsCancellationRequested && await client.ReadAnyAsync(Deadline).WaitAsync(stop) is { } frame)
            {
                if (frame.IsControl)
                {
                    track.Control(frame.Event!, frame.Data!);
                }
                else if (frame.Data is not null)
                {
                    var json = frame.Json;
                    start = frame.Id!;
                    track.Event(
                        start,
                        json.GetProperty("id").GetString()!,
                        json.TryGetProperty("firstposition", out var first) ? first.GetString() : null);
                }
                else if (frame.Id is { } told)
                {
                    track.Told(told);
                }
            }
        }
    }

    private async Task SettledAsync()
    {
        await Eventually.TrueAsync(
            async () =>
            {
                await using var command = _archive.CreateCommand("select count(distinct (stream, event_id)) from events");
                return (long)(await command.ExecuteScalarAsync(Cancelled))! >= _history.AcknowledgedCount;
            },
            TimeSpan.FromSeconds(30),
            $"the archive has {_history.AcknowledgedCount} events",
            Cancelled);
        await Eventually.TrueAsync(
            () => _history.Missing() == 0, TimeSpan.FromSeconds(30), "subscribers have seen everything", Cancelled);
    }

    private async Task<List<ArchivedRow>> ReadArchiveAsync()
    {
        var rows = new List<ArchivedRow>();
        await using var command = _archive.CreateCommand("select stream, epoch, seq, event_id from events");
        await using var reader = await command.ExecuteReaderAsync(Cancelled);
        while (await reader.ReadAsync(Cancelled))
        {
            var position = new StreamPosition(reader.GetInt64(1), reader.GetInt64(2));
            rows.Add(new ArchivedRow(reader.GetString(0), LogPosition.Parse(position.ToString()), reader.GetString(3)));
        }

        return rows;
    }
}
