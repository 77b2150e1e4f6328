using AspireStreaming.TestSupport;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace AspireStreaming.ServiceDefaults.Tests.Clients;

public sealed class RedisClientTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AddRedisClient_connects_with_the_injected_connection_string()
    {
        await using var redis = await RedisProcess.StartAsync(password: "p@ss=word", cancellationToken: Cancellation);
        using var host = Build(
            new() { ["ConnectionStrings:redis"] = $"localhost:{redis.Port},password=p@ss=word", ["Aspire:StackExchange:Redis:ConnectionString"] = "nowhere:1" },
            builder => builder.AddRedisClient("redis"));

        var multiplexer = host.Services.GetRequiredService<IConnectionMultiplexer>();

        Assert.True(await multiplexer.GetDatabase().StringSetAsync("k", "v"));
        Assert.Equal("v", (string?)await multiplexer.GetDatabase().StringGetAsync("k"));
    }

    [Fact]
    public async Task AddKeyedRedisClient_gives_connections_of_their_own_with_options_of_their_own()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancellation);
        using var host = Build(
            new()
            {
                ["ConnectionStrings:commands"] = redis.ConnectionString,
                ["ConnectionStrings:wakes"] = redis.ConnectionString,
                ["Aspire:StackExchange:Redis:ConfigurationOptions:ClientName"] = "general",
                ["Aspire:StackExchange:Redis:commands:ConfigurationOptions:ClientName"] = "special",
                ["Aspire:StackExchange:Redis:commands:ConfigurationOptions:PreserveAsyncOrder"] = "false",
            },
            builder =>
            {
                builder.AddKeyedRedisClient("commands", configureOptions: options => options.KeepAlive = 7);
                builder.AddKeyedRedisClient("wakes");
            });

        var commands = host.Services.GetRequiredKeyedService<IConnectionMultiplexer>("commands");
        var wakes = host.Services.GetRequiredKeyedService<IConnectionMultiplexer>("wakes");

        Assert.NotSame(commands, wakes);
        Assert.Equal("special", commands.ClientName);
        Assert.Equal("general", wakes.ClientName);
        Assert.Contains("keepAlive=7", commands.Configuration, StringComparison.Ordinal);
        Assert.Contains("abortConnect=False", wakes.Configuration, StringComparison.OrdinalIgnoreCase);

        // A property of old versions of the client only.
        if (typeof(ConnectionMultiplexer).GetProperty("PreserveAsyncOrder") is { } order && order.GetValue(wakes) is true)
        {
            Assert.Equal(false, order.GetValue(commands));
        }
    }

    [Fact]
    public void AddRedisClient_without_connection_string_fails_when_resolved()
    {
        using var host = Build([], builder => builder.AddRedisClient("redis"));

        var exception = Assert.Throws<InvalidOperationException>(() => host.Services.GetRequiredService<IConnectionMultiplexer>());

        Assert.Contains("ConnectionStrings:redis", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddRedisClient_lets_the_delegate_have_the_last_word()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancellation);
        using var host = Build(
            new() { ["ConnectionStrings:redis"] = "nowhere:1" },
            builder => builder.AddRedisClient("redis", settings => settings.ConnectionString = redis.ConnectionString));

        Assert.True(host.Services.GetRequiredService<IConnectionMultiplexer>().IsConnected);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AddRedisClient_with_Redis_away_blocks_no_longer_than_the_connect_timeout_and_connects_later(bool frozen)
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancellation);
        if (frozen)
        {
            redis.Suspend();
        }
        else
        {
            redis.Kill();
        }

        using var host = Build(
            new() { ["ConnectionStrings:redis"] = $"{redis.ConnectionString},connectTimeout=1000" }, builder => builder.AddRedisClient("redis"));
        var start = TimeProvider.System.GetTimestamp();

        var multiplexer = host.Services.GetRequiredService<IConnectionMultiplexer>();

        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(2.5));
        Assert.False(multiplexer.IsConnected);
        if (frozen)
        {
            redis.Resume();
        }
        else
        {
            await redis.StartAsync(Cancellation);
        }

        await Eventually.TrueAsync(() => multiplexer.IsConnected, TimeSpan.FromSeconds(30), "connected", Cancellation);
    }

    private static IHost Build(Dictionary<string, string?> settings, Action<IHostApplicationBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(settings);
        configure(builder);
        return builder.Build();
    }
}
