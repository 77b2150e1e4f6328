using AspireStreaming.TestSupport;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.ServiceDefaults.Tests.Clients;

public sealed class StoreHealthTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Health_follows_Redis_through_kill_freeze_and_return()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancellation);
        await using var service = await TestService.StartAsync(
            builder => builder.AddRedisClient("redis"), settings: new() { ["ConnectionStrings:redis"] = redis.ConnectionString });
        await StatusBecomesAsync(service, "healthy");

        redis.Suspend();
        await StatusBecomesAsync(service, "degraded");
        redis.Resume();
        await StatusBecomesAsync(service, "healthy");

        redis.Kill();
        await StatusBecomesAsync(service, "degraded");
        await redis.StartAsync(Cancellation);
        await StatusBecomesAsync(service, "healthy");

        var health = await service.GetJsonAsync("/health");
        Assert.Equal("healthy", (string?)health["dependencies"]!["StackExchange.Redis"]!["status"]);
    }

    [Fact]
    public async Task Health_follows_PostgreSQL_through_kill_freeze_and_return()
    {
        await using var postgres = await PostgresProcess.StartAsync(cancellationToken: Cancellation);
        var connectionString = await postgres.CreateDatabaseAsync("events", Cancellation);
        await using var service = await TestService.StartAsync(
            builder => builder.AddNpgsqlDataSource("events"), settings: new() { ["ConnectionStrings:events"] = connectionString });
        await StatusBecomesAsync(service, "healthy");

        postgres.Suspend();
        await StatusBecomesAsync(service, "degraded");
        postgres.Resume();
        await StatusBecomesAsync(service, "healthy");

        postgres.Kill();
        await StatusBecomesAsync(service, "degraded");
        await postgres.StartAsync(Cancellation);
        await StatusBecomesAsync(service, "healthy");
    }

    private static Task StatusBecomesAsync(TestService service, string status) => Eventually.TrueAsync(
        async () => (string?)(await service.GetJsonAsync("/health"))["status"] == status, TimeSpan.FromSeconds(30), status, Cancellation);
}
