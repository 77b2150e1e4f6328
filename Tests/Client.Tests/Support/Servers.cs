using AspireStreaming.Archive;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

[assembly: AssemblyFixture(typeof(AspireStreaming.Client.Tests.Support.Servers))]

namespace AspireStreaming.Client.Tests.Support;

/// <summary>Redis, PostgreSQL and both services for all tests that break none of them; tests keep apart by stream name.</summary>
public sealed class Servers : IAsyncLifetime
{
    private RedisProcess _redis = null!;
    private PostgresProcess _postgres = null!;

    public string Redis => _redis.ConnectionString;

    /// <summary>An archive that nothing is archived in.</summary>
    public string Archive => _postgres.ConnectionString;

    internal ServiceHost Publisher { get; private set; } = null!;

    internal ServiceHost StreamApi { get; private set; } = null!;

    public static string NewStream(string what = "s") => $"{what}-{Guid.NewGuid():N}";

    public async ValueTask InitializeAsync()
    {
        var redis = RedisProcess.StartAsync();
        var postgres = PostgresProcess.StartAsync(fsync: false);
        _redis = await redis;
        _postgres = await postgres;
        await using (var archive = NpgsqlDataSource.Create(Archive))
        {
            await new ArchiveSchema(archive, NullLogger<ArchiveSchema>.Instance).MigrateAsync(CancellationToken.None);
        }

        Publisher = await ServiceHost.StartPublisherAsync(Redis, Archive);
        StreamApi = await ServiceHost.StartStreamApiAsync(Redis, Archive);
    }

    public async ValueTask DisposeAsync()
    {
        await StreamApi.DisposeAsync();
        await Publisher.DisposeAsync();
        await _redis.DisposeAsync();
        await _postgres.DisposeAsync();
    }

    internal EventPublisher CreatePublisher(StreamingClientOptions? options = null) =>
        new(new HttpClient { BaseAddress = Publisher.Http }, options);

    internal EventSubscriber CreateSubscriber(Action<StreamingClientOptions>? configure = null) => StreamApi.CreateSubscriber(configure);
}
