using System.Globalization;
using AspireStreaming.FailureSuite.Tests.Running;
using AspireStreaming.SystemSupport;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Faults;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AspireStreaming.FailureSuite.Tests.World;

/// <summary>
/// The whole system, started once: two replicas of each service as AppHost starts them, a Redis and a PostgreSQL that tests may stop,
/// kill and wipe, and between each service and each server a link of its own that tests may spoil.
/// </summary>
public sealed class FailureWorld : IAsyncLifetime
{
    /// <summary>The services.</summary>
    internal static readonly string[] Services = ["publisher-api", "stream-api", "event-archiver"];

    private static readonly (string Name, string Value)[] Settings =
    [
        // Small tiers, so that readers cross their borders all the time.
        ("Delivery__WindowEvents", "256"),
        ("Delivery__PreloadEvents", "64"),
        ("HotLog__MaxEventsPerStream", "500"),
        ("HotLog__MaxEventAge", "00:00:20"),

        // Short patience, so that the suite needs little of it.
        ("Delivery__Heartbeat", "00:00:02"),
        ("Delivery__WriteTimeout", "00:00:05"),
        ("Archiver__LeaseDuration", "00:00:04"),
        ("Archiver__LeaseRenewal", "00:00:01"),
        ("Archiver__CommitTimeout", "00:00:05"),
    ];

    private readonly Dictionary<string, TcpFaultProxy> _redisLinks = [];
    private readonly Dictionary<string, TcpFaultProxy> _postgresLinks = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("failure-suite-").FullName;
    private DistributedApplication? _app;

    internal RedisProcess Redis { get; private set; } = null!;

    internal PostgresProcess Postgres { get; private set; } = null!;

    internal ArchiveDatabase Archive { get; private set; } = null!;

    internal RunningSystem System { get; private set; } = null!;

    internal SuiteReport Report { get; } = new();

    /// <summary>Each service's way to Redis.</summary>
    internal IReadOnlyDictionary<string, TcpFaultProxy> RedisLinks => _redisLinks;

    /// <summary>Each service's way to PostgreSQL.</summary>
    internal IReadOnlyDictionary<string, TcpFaultProxy> PostgresLinks => _postgresLinks;

    public async ValueTask InitializeAsync()
    {
        Redis = await RedisProcess.StartAsync(dataFolder: NewRedisFolder(), arguments: ["--maxmemory-policy", "noeviction"]);
        Postgres = await PostgresProcess.StartAsync();
        Archive = await ArchiveDatabase.CreateAsync(Postgres, CancellationToken.None);
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(["--Data:Persist=false"]);
        foreach (var service in Services)
        {
            var redis = _redisLinks[service] = TcpFaultProxy.Start(Redis.Port);
            var postgres = _postgresLinks[service] = TcpFaultProxy.Start(Postgres.Port);
            var project = builder.CreateResourceBuilder((ProjectResource)builder.Resources.Single(resource => resource.Name == service))
                .WithReplicas(2)
                .WithEnvironment("ConnectionStrings__redis", RedisConnectionString(redis.Port))
                .WithEnvironment("ConnectionStrings__events", ArchiveDatabase.ConnectionString(postgres.Port));
            foreach (var (name, value) in Settings)
            {
                project.WithEnvironment(name, value);
            }
        }

        // The services' logs are kept in files; here they would drown the results.
        builder.Services.AddLogging(logging => logging.AddFilter("AspireStreaming.AppHost.Resources", LogLevel.None));
        _app = await builder.BuildAsync();
        await _app.StartAsync();
        System = new RunningSystem(_app);
        await System.HealthyAsync(Services, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await Report.WriteAsync();
        if (System is not null)
        {
            await WriteLogsAsync();
            System.Dispose();
        }

        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        foreach (var link in _redisLinks.Values.Concat(_postgresLinks.Values))
        {
            await link.DisposeAsync();
        }

        if (Archive is not null)
        {
            await Archive.DisposeAsync();
            await Postgres.DisposeAsync();
        }

        if (Redis is not null)
        {
            await Redis.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>What the services wrote, beside the report.</summary>
    private async Task WriteLogsAsync()
    {
        Directory.CreateDirectory(SuiteReport.Folder);
        foreach (var service in Services)
        {
            await File.WriteAllTextAsync(Path.Combine(SuiteReport.Folder, $"{service}.log"), await System.LogAsync(service, CancellationToken.None));
        }
    }

    private static string RedisConnectionString(int port) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");

    /// <summary>A folder for a Redis of this world.</summary>
    internal string NewRedisFolder() => Directory.CreateDirectory(Path.Combine(_folder, Guid.NewGuid().ToString("N"))).FullName;

    /// <summary>Another server takes the place of Redis: new connections lead to it. Returns the old one.</summary>
    internal RedisProcess TakeOver(RedisProcess successor)
    {
        var old = Redis;
        Redis = successor;
        foreach (var link in _redisLinks.Values)
        {
            link.TargetPort = successor.Port;
            link.Reset();
        }

        return old;
    }

    /// <summary>Whatever a scenario has left broken is whole again.</summary>
    internal async Task MendAsync(CancellationToken cancellationToken)
    {
        foreach (var link in _redisLinks.Values.Concat(_postgresLinks.Values))
        {
            link.Mend();
        }

        // A scenario that failed may have left them frozen, or not there at all.
        if (Redis.IsRunning)
        {
            Redis.Resume();
        }
        else
        {
            await Redis.StartAsync(cancellationToken);
        }

        if (Postgres.IsRunning)
        {
            Postgres.Resume();
        }
        else
        {
            await Postgres.StartAsync(cancellationToken);
        }

        await Redis.SendAsync("CONFIG SET maxmemory 0", cancellationToken);
        await Archive.MendAsync(cancellationToken);
        foreach (var service in Services)
        {
            await System.StartMissingAsync(service, cancellationToken);
        }

        await System.HealthyAsync(Services, cancellationToken);
    }
}

/// <summary>All tests of the suite share one world and run one after another.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FailureCollection : ICollectionFixture<FailureWorld>
{
    /// <summary>The collection's name.</summary>
    public const string Name = "failure suite";
}
