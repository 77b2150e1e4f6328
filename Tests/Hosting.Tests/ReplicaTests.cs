using System.Globalization;

namespace AspireStreaming.Hosting.Tests;

public sealed class ReplicaTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Replicas_share_one_port_in_turn_and_one_serves_when_the_other_is_killed()
    {
        await using var app = await TestApplication.StartAsync(builder =>
            builder.AddProject<Projects.SampleService>("many").WithReplicas(2).WithHttpHealthCheck("/health", endpointName: "http"));
        var replicas = app.Replicas("many");
        Assert.Equal(2, replicas.Count);
        foreach (var replica in replicas)
        {
            await app.ReplicaHealthyAsync(replica);
        }

        var url = app.App.GetEndpoint("many", "http");
        await Eventually.TrueAsync(
            async () => (await AskAsync(url, 4)).Count == 2, TestApplication.Deadline, "both replicas answer in turn", Cancellation);
        var (dead, alive) = (app.Current(replicas[0].ResourceId), app.Current(replicas[1].ResourceId));
        var ownUrl = Assert.Single(alive.Snapshot.Urls, candidate => candidate is { IsInternal: true, Name: "http" }).Url;
        Assert.Equal([TestApplication.ProcessId(alive)], await AskAsync(new Uri(ownUrl), 2));
        Assert.Contains(url, alive.Snapshot.Urls.Where(candidate => !candidate.IsInternal).Select(candidate => new Uri(candidate.Url)));

        System.Diagnostics.Process.GetProcessById(TestApplication.ProcessId(dead)).Kill();
        await app.ReplicaStateAsync(dead, KnownResourceStates.Finished);

        Assert.Equal([TestApplication.ProcessId(alive)], await AskAsync(url, 6));
        Assert.Equal(137, app.Current(dead.ResourceId).Snapshot.ExitCode);
        var ambiguous = await app.App.ResourceCommands.ExecuteCommandAsync("many", KnownResourceCommands.RestartCommand, Cancellation);
        Assert.False(ambiguous.Success);

        await app.CommandAsync(dead.ResourceId, KnownResourceCommands.StartCommand);
        await app.ReplicaHealthyAsync(dead);
        await Eventually.TrueAsync(
            async () => (await AskAsync(url, 4)).Count == 2, TestApplication.Deadline, "both replicas answer again", Cancellation);
    }

    [Fact]
    public async Task Replica_that_reports_unhealthy_gets_no_new_connections()
    {
        await using var app = await TestApplication.StartAsync(builder =>
            builder.AddProject<Projects.SampleService>("many").WithReplicas(2).WithHttpHealthCheck("/health", endpointName: "http"));
        var replicas = app.Replicas("many");
        foreach (var replica in replicas)
        {
            await app.ReplicaHealthyAsync(replica);
        }

        var sick = app.Current(replicas[0].ResourceId);
        var own = sick.Snapshot.Urls.Single(candidate => candidate is { IsInternal: true, Name: "http" }).Url;
        using var client = new HttpClient();
        using var response = await client.PostAsync(new Uri(own + "/health/false"), null, Cancellation);
        response.EnsureSuccessStatusCode();

        var well = TestApplication.ProcessId(app.Current(replicas[1].ResourceId));
        await Eventually.TrueAsync(
            async () => (await AskAsync(app.App.GetEndpoint("many", "http"), 4)) is [var only] && only == well,
            TestApplication.Deadline,
            "only the healthy replica answers",
            Cancellation);
    }

    /// <summary>Who answers, each request on a connection of its own.</summary>
    private static async Task<IReadOnlyList<int>> AskAsync(Uri url, int requests)
    {
        var answers = new SortedSet<int>();
        for (var i = 0; i < requests; i++)
        {
            using var client = new HttpClient { BaseAddress = url, Timeout = TimeSpan.FromSeconds(5) };
            answers.Add(int.Parse(await client.GetStringAsync(new Uri("/pid", UriKind.Relative), Cancellation), CultureInfo.InvariantCulture));
        }

        return [.. answers];
    }
}
