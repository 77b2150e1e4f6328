using AspireStreaming.TestSupport;

[assembly: AssemblyFixture(typeof(AspireStreaming.StreamApi.Tests.Support.RedisFixture))]
[assembly: AssemblyFixture(typeof(AspireStreaming.StreamApi.Tests.Support.SharedHost))]

namespace AspireStreaming.StreamApi.Tests.Support;

/// <summary>One redis-server for all tests that don't break it; they keep apart by stream name.</summary>
public sealed class RedisFixture : IAsyncLifetime
{
    public RedisProcess Process { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Process = await RedisProcess.StartAsync();

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}

/// <summary>One Stream API with its own Redis for all tests that need no settings of their own.</summary>
public sealed class SharedHost : IAsyncLifetime
{
    private RedisProcess _redis = null!;

    internal StreamApiHost Host { get; private set; } = null!;

    internal TestLog Log { get; private set; } = null!;

    /// <summary>Connection string of its Redis, for further hosts.</summary>
    internal string Redis => _redis.ConnectionString;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisProcess.StartAsync();
        Log = new TestLog(_redis.ConnectionString);
        Host = await StreamApiHost.StartAsync(_redis.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        Log.Dispose();
        await _redis.DisposeAsync();
    }
}
