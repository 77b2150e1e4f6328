using AspireStreaming.TestSupport;

[assembly: AssemblyFixture(typeof(AspireStreaming.EventArchiver.Tests.Servers))]

namespace AspireStreaming.EventArchiver.Tests;

/// <summary>One PostgreSQL for all tests that don't break it; each has a database of its own.</summary>
public sealed class Servers : IAsyncLifetime
{
    private int _databases;

    public PostgresProcess Postgres { get; private set; } = null!;

    public async ValueTask InitializeAsync() =>
        Postgres = await PostgresProcess.StartAsync(fsync: false, cancellationToken: TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => Postgres.DisposeAsync();

    public Task<string> CreateDatabaseAsync() =>
        Postgres.CreateDatabaseAsync($"test{Interlocked.Increment(ref _databases)}", TestContext.Current.CancellationToken);
}
