namespace AspireStreaming.Hosting.Tests;

/// <summary>A whole AppHost through its own entry point: PostgreSQL is set up each time, so some seconds.</summary>
public sealed class EntryPointTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_instances_of_one_AppHost_run_side_by_side()
    {
        var apps = await Task.WhenAll(RunAsync("Replicas=1"), RunAsync("Replicas=1"));
        try
        {
            await Task.WhenAll(apps.SelectMany(app => new[] { app.HealthyAsync("first"), app.HealthyAsync("many") }));

            Assert.NotEqual(apps[0].App.GetEndpoint("first", "http"), apps[1].App.GetEndpoint("first", "http"));
            Assert.NotEqual(
                await apps[0].App.GetConnectionStringAsync("redis", Cancellation),
                await apps[1].App.GetConnectionStringAsync("redis", Cancellation));
            foreach (var app in apps)
            {
                using var client = app.App.CreateHttpClient("many", "http");
                Assert.Contains(
                    app.App.GetEndpoint("first", "http").Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
                    await client.GetStringAsync(new Uri("/environment", UriKind.Relative), Cancellation),
                    StringComparison.Ordinal);
            }
        }
        finally
        {
            await Task.WhenAll(apps.Select(app => app.DisposeAsync().AsTask()));
        }
    }

    [Fact]
    public async Task CreateAsync_hands_over_the_builder_before_anything_is_built()
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.SampleAppHost>(Cancellation);

        Assert.Equal(["redis", "postgres", "sampledb", "first", "many"], builder.Resources.Select(resource => resource.Name));
        Assert.Equal(Projects.SampleAppHost.ProjectPath, builder.AppHostDirectory);
        Assert.Equal("Development", builder.Environment.EnvironmentName);
    }

    [Fact]
    public async Task CreateAsync_with_an_entry_point_that_throws_reports_that()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => DistributedApplicationTestingBuilder.CreateAsync<Projects.SampleAppHost>(["Replicas=not-a-number"], Cancellation));
    }

    private static async Task<TestApplication> RunAsync(params string[] args) =>
        await TestApplication.StartAsync(await DistributedApplicationTestingBuilder.CreateAsync<Projects.SampleAppHost>(args, Cancellation));
}
