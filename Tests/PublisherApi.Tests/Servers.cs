using AspireStreaming.TestSupport;

[assembly: AssemblyFixture(typeof(AspireStreaming.PublisherApi.Tests.Servers))]

namespace AspireStreaming.PublisherApi.Tests;

/// <summary>
/// One Redis, one PostgreSQL and one Publisher API for all tests that break none of them; tests keep apart by stream name.
/// </summary>
public sealed class Servers : IAsyncLifetime
{
    private RedisProcess? _redis;
    private PostgresProcess? _postgres;
    private PublisherHost? _publisher;

    /// <summary>An archive without a schema, which reads as an empty one.</summary>
    public string Archive => _postgres!.ConnectionString;

    public string Redis => _redis!.ConnectionString;

    internal PublisherHost Publisher => _publisher!;

    public async ValueTask InitializeAsync()
    {
        var redis = RedisProcess.StartAsync();
        var postgres = PostgresProcess.StartAsync(fsync: false);
        _redis = await redis;
        _postgres = await postgres;
        _publisher = await PublisherHost.StartAsync(Redis, Archive);
    }

    public async ValueTask DisposeAsync()
    {
        if (_publisher is not null)
        {
            await _publisher.DisposeAsync();
        }

        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        if (_postgres is not null)
        {
            await _postgres.DisposeAsync();
        }
    }
}
