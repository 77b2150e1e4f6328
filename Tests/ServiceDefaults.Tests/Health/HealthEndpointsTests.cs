using System.Diagnostics;
using System.Net;
using AspireStreaming.ServiceDefaults.Health;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireStreaming.ServiceDefaults.Tests.Health;

public sealed class HealthEndpointsTests
{
    [Fact]
    public async Task Health_without_anything_registered_is_healthy_with_zeros()
    {
        await using var service = await TestService.StartAsync();

        using var response = await service.GetAsync("/health");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        var health = await service.GetJsonAsync("/health");
        Assert.Equal("healthy", (string?)health["status"]);
        Assert.EndsWith("Z", (string?)health["timestamp"]);
        Assert.Null(health["draining"]);
        Assert.Equal(
            """{"activeConnections":0,"totalMessages":0,"maxConnections":0,"totalStreams":0,"healthyStreams":0,"subscribers":0}""",
            health["stream"]!.ToJsonString());
        Assert.Equal("""{"total":0,"running":0,"completed":0,"failed":0,"cancelled":0}""", health["workflows"]!.ToJsonString());
        Assert.Equal("{}", health["dependencies"]!.ToJsonString());
    }

    [Fact]
    public async Task Health_shows_the_numbers_of_the_service()
    {
        await using var service = await TestService.StartAsync(builder => builder.Services.AddSingleton<IHealthDetails, FixedDetails>());

        var health = await service.GetJsonAsync("/health");

        Assert.Equal(7, (int)health["stream"]!["activeConnections"]!);
        Assert.Equal(3, (int)health["workflows"]!["failed"]!);
    }

    [Theory]
    [InlineData(HealthStatus.Degraded, HttpStatusCode.OK, "degraded")]
    [InlineData(HealthStatus.Unhealthy, HttpStatusCode.ServiceUnavailable, "unhealthy")]
    public async Task Health_answers_the_worst_of_its_checks(HealthStatus status, HttpStatusCode expectedCode, string expected)
    {
        await using var service = await TestService.StartAsync(builder => builder.Services.AddHealthChecks()
            .AddCheck("good", () => HealthCheckResult.Healthy())
            .AddCheck("bad", () => new HealthCheckResult(status, "why")));

        using var response = await service.GetAsync("/health");
        var health = await service.GetJsonAsync("/health");

        Assert.Equal(expectedCode, response.StatusCode);
        Assert.Equal(expected, (string?)health["status"]);
        Assert.Equal("healthy", (string?)health["dependencies"]!["good"]!["status"]);
        Assert.Equal("why", (string?)health["dependencies"]!["bad"]!["description"]);
        Assert.True((double)health["dependencies"]!["bad"]!["durationMs"]! >= 0);
    }

    [Theory]
    [InlineData("StackExchange.Redis_hot-log")]
    [InlineData("PostgreSql")]
    public async Task Health_of_a_store_that_is_away_is_degraded_whatever_its_check_says(string name)
    {
        await using var service = await TestService.StartAsync(
            builder => builder.Services.AddHealthChecks().AddCheck(name, () => HealthCheckResult.Unhealthy("away")));

        using var response = await service.GetAsync("/health");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("degraded", (string?)(await service.GetJsonAsync("/health"))["status"]);
    }

    [Fact]
    public async Task Health_does_not_wait_longer_than_two_seconds_for_a_check_that_hangs_and_runs_it_once_at_a_time()
    {
        var hanging = new HangingCheck();
        await using var service = await TestService.StartAsync(
            builder => builder.Services.AddHealthChecks().AddCheck("stuck", hanging, HealthStatus.Degraded));
        var clock = Stopwatch.StartNew();

        for (var request = 0; request < 2; request++)
        {
            using var response = await service.GetAsync("/health");
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(8));
        Assert.Equal(1, hanging.Started);
        hanging.Release();
    }

    [Fact]
    public async Task Health_runs_its_checks_once_a_second_however_often_it_is_asked()
    {
        var runs = 0;
        await using var service = await TestService.StartAsync(builder => builder.Services.AddHealthChecks().AddCheck("counted", () =>
        {
            Interlocked.Increment(ref runs);
            return HealthCheckResult.Healthy();
        }));
        var clock = Stopwatch.StartNew();

        await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ => (await service.GetAsync("/health")).Dispose()));

        Assert.InRange(runs, 1, 1 + (int)clock.Elapsed.TotalSeconds + 1);
    }

    [Fact]
    public async Task Health_of_a_draining_replica_is_503_while_it_stays_alive()
    {
        await using var service = await TestService.StartAsync();
        var drain = service.App.Services.GetRequiredService<DrainState>();

        drain.BeginDrain();
        drain.BeginDrain();

        using var health = await service.GetAsync("/health");
        using var alive = await service.GetAsync("/alive");
        var document = await service.GetJsonAsync("/health");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        Assert.Equal("unhealthy", (string?)document["status"]);
        Assert.True((bool)document["draining"]!);
    }

    [Fact]
    public async Task Drain_begins_with_the_stop_of_the_host()
    {
        await using var service = await TestService.StartAsync();
        var drain = service.App.Services.GetRequiredService<DrainState>();
        Assert.False(drain.IsDraining);

        await service.App.StopAsync(TestContext.Current.CancellationToken);

        Assert.True(drain.IsDraining);
        Assert.True(drain.Draining.IsCancellationRequested);
    }

    [Fact]
    public async Task Alive_ignores_dependencies()
    {
        await using var service = await TestService.StartAsync(
            builder => builder.Services.AddHealthChecks().AddCheck("bad", () => HealthCheckResult.Unhealthy()));

        using var response = await service.GetAsync("/alive");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("healthy", (string?)(await service.GetJsonAsync("/alive"))["status"]);
    }

    [Fact]
    public async Task Health_without_a_credential_tells_the_status_only()
    {
        await using var service = await TestService.StartAsync(settings: new()
        {
            ["Auth:ApiKeys:0:Name"] = "probe",
            ["Auth:ApiKeys:0:Key"] = "0123456789abcdef",
        });

        var health = await service.GetJsonAsync("/health");
        service.Client.DefaultRequestHeaders.Add("X-Api-Key", "0123456789abcdef");
        var detailed = await service.GetJsonAsync("/health");

        Assert.NotNull(detailed["dependencies"]);

        Assert.Equal(["status", "timestamp"], health.AsObject().Select(member => member.Key));
    }

    private sealed class FixedDetails : IHealthDetails
    {
        public StreamHealth Stream => new(ActiveConnections: 7);

        public WorkflowHealth Workflows => new(Failed: 3);
    }

    private sealed class HangingCheck : IHealthCheck
    {
        private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _started;

        public int Started => _started;

        public void Release() => _release.SetResult();

        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _started);
            await _release.Task;
            return HealthCheckResult.Healthy();
        }
    }
}
