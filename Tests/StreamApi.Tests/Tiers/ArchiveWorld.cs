using AspireStreaming.Archive;
using AspireStreaming.EventArchiver;
using AspireStreaming.PublisherApi;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.TestSupport;
using Microsoft.AspNetCore.Builder;
using Npgsql;

[assembly: AssemblyFixture(typeof(AspireStreaming.StreamApi.Tests.Tiers.ArchiveWorld))]

namespace AspireStreaming.StreamApi.Tests.Tiers;

/// <summary>
/// Redis, PostgreSQL, an archiver, a publisher that asks the archive, the Publisher API, and a Stream API with all three tiers.
/// </summary>
public sealed class ArchiveWorld : IAsyncLifetime
{
    private NpgsqlDataSource _dataSource = null!;
    private WebApplication _archiver = null!;
    private WebApplication _publisher = null!;

    internal RedisProcess Redis { get; private set; } = null!;

    internal PostgresProcess Postgres { get; private set; } = null!;

    internal StreamApiHost Host { get; private set; } = null!;

    internal TestLog Log { get; private set; } = null!;

    internal ArchiveReader Archive { get; private set; } = null!;

    /// <summary>Connection string of the archive's database.</summary>
    internal string Events { get; private set; } = null!;

    /// <summary>Address of the Publisher API.</summary>
    internal Uri Publisher { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        Redis = await RedisProcess.StartAsync(cancellationToken: cancellationToken);
        Postgres = await PostgresProcess.StartAsync(fsync: false, cancellationToken: cancellationToken);
        Events = await Postgres.CreateDatabaseAsync("events", cancellationToken);
        _dataSource = NpgsqlDataSource.Create(Events);
        Archive = new ArchiveReader(_dataSource);
        Log = new TestLog(Redis.ConnectionString, Archive);
        _archiver = ArchiverApp.Create(
        [
            "--environment=Development",
            $"--ConnectionStrings:redis={Redis.ConnectionString}",
            $"--ConnectionStrings:events={Events}",
            "--Kestrel:Endpoints:http:Url=http://127.0.0.1:0",
            "--Kestrel:Endpoints:grpc:Url=http://127.0.0.1:0",
            "--Archiver:MaxBatchAge=00:00:00.010",
            "--Logging:LogLevel:Default=Warning",
        ]);
        await _archiver.StartAsync(cancellationToken);
        _publisher = PublisherApp.Create(
        [
            "--environment=Development",
            $"--ConnectionStrings:redis={Redis.ConnectionString}",
            $"--ConnectionStrings:events={Events}",
            "--Kestrel:Endpoints:http:Url=http://127.0.0.2:0",
            "--Kestrel:Endpoints:grpc:Url=http://127.0.0.1:0",
            "--Logging:LogLevel:Default=Warning",
        ]);
        await _publisher.StartAsync(cancellationToken);
        Publisher = new Uri(_publisher.Urls.Single(url => url.Contains("127.0.0.2", StringComparison.Ordinal)));
        Host = await StartHostAsync("--Delivery:Heartbeat=00:00:00.300");
    }

    /// <summary>Another replica of the Stream API.</summary>
    internal Task<StreamApiHost> StartHostAsync(params string[] settings) => StreamApiHost.StartAsync(
        Redis.ConnectionString, [$"--ConnectionStrings:events={Events}", $"--services:publisher-api:http:0={Publisher}", .. settings]);

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        await _publisher.StopAsync(CancellationToken.None);
        await _publisher.DisposeAsync();
        await _archiver.StopAsync(CancellationToken.None);
        await _archiver.DisposeAsync();
        Log.Dispose();
        await _dataSource.DisposeAsync();
        await Postgres.DisposeAsync();
        await Redis.DisposeAsync();
    }

    /// <summary>Returns when the archive has everything up to a position.</summary>
    internal Task ArchivedAsync(string stream, StreamPosition upTo) => Eventually.TrueAsync(
        async () => (await Archive.ReadStreamAsync(stream, TestContext.Current.CancellationToken))?.Last >= upTo,
        TimeSpan.FromSeconds(30),
        $"the archive has {stream} up to {upTo}",
        TestContext.Current.CancellationToken);

    /// <summary>The stream's entries expire in the hot log; its meta stays, as it does for a day longer.</summary>
    internal Task ExpireAsync(string stream) => Log.Database.KeyDeleteAsync(StreamKeys.Stream(stream));

    /// <summary>The hot log forgets the stream altogether.</summary>
    internal async Task ForgetAsync(string stream)
    {
        await Log.Database.KeyDeleteAsync([StreamKeys.Stream(stream), StreamKeys.Meta(stream)]);
        await Log.Database.SortedSetRemoveAsync(StreamKeys.Index(StreamName.PartitionOf(stream)), stream);
    }
}
