using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireStreaming.Hosting.Local.Tests.Dashboard;

public sealed class DashboardServerTests
{
    private const string StopPath = $"/api/resources/{DashboardFixture.ResourceId}/commands/stop";
    private const string StartPath = $"/api/resources/{DashboardFixture.ResourceId}/commands/start";
    private const string LogPath = $"/api/resources/{DashboardFixture.ResourceId}/logs";

    private static readonly (string, string) Header = (RequestGuard.CommandHeader, "1");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Page_and_its_files_are_served_with_a_policy_against_foreign_content()
    {
        await using var fixture = await DashboardFixture.StartAsync(Ct);

        using var page = await fixture.Client.GetAsync("/", Ct);
        Assert.Equal("text/html", page.Content.Headers.ContentType?.MediaType);
        Assert.Contains("default-src 'self'", page.Headers.GetValues("Content-Security-Policy").Single());
        Assert.DoesNotContain("https://", await page.Content.ReadAsStringAsync(Ct));
        foreach (var (file, type) in new[] { ("app.js", "text/javascript"), ("log.js", "text/javascript"), ("style.css", "text/css") })
        {
            using var response = await fixture.Client.GetAsync($"/{file}", Ct);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(type, response.Content.Headers.ContentType?.MediaType);
        }
    }

    [Fact]
    public async Task List_tells_all_about_a_resource_but_its_secrets()
    {
        await using var fixture = await DashboardFixture.StartAsync(Ct);
        await fixture.PublishAsync("Running", snapshot => (snapshot with
        {
            StartTimeStamp = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc),
            Properties = [new("executable.pid", 4711)],
            Urls = [new("http", "http://localhost:5101", IsInternal: false)],
            EnvironmentVariables =
            [
                new("ConnectionStrings__redis", "localhost:6379,password=hunter2", IsFromSpec: true),
                new("REDIS_PASSWORD", "hunter2", IsFromSpec: true),
                new("ASPNETCORE_ENVIRONMENT", "Development", IsFromSpec: true),
            ],
        }).WithHealthReports([new("api_http_/health_200_check", HealthStatus.Unhealthy, "503 instead of 200", "Password=hunter2")]));
        JsonElement resource = default;
        await Eventually.TrueAsync(
            async () =>
            {
                resource = JsonDocument.Parse(await fixture.Client.GetStringAsync("/api/resources", Ct)).RootElement[0];
                return resource.GetProperty("pid").GetString() is not null;
            },
            TimeSpan.FromSeconds(5),
            "the change is seen",
            Ct);

        Assert.Equal(DashboardFixture.ResourceId, resource.GetProperty("id").GetString());
        Assert.Equal("api", resource.GetProperty("name").GetString());
        Assert.Equal("Project", resource.GetProperty("type").GetString());
        Assert.Equal("Running", resource.GetProperty("state").GetString());
        Assert.Equal("Unhealthy", resource.GetProperty("health").GetString());
        Assert.Equal("4711", resource.GetProperty("pid").GetString());
        Assert.Equal("2026-01-02T03:04:05Z", resource.GetProperty("started").GetString());
        Assert.Equal("http://localhost:5101", resource.GetProperty("urls")[0].GetProperty("url").GetString());
        Assert.Equal("503 instead of 200", resource.GetProperty("healthReports")[0].GetProperty("description").GetString());
        Assert.Equal(["stop", "start"], resource.GetProperty("commands").EnumerateArray().Select(command => command.GetProperty("name").GetString()));
        Assert.Contains("Development", resource.GetRawText());
        Assert.DoesNotContain("hunter2", resource.GetRawText());
    }

    [Fact]
    public async Task Watch_gives_everything_and_then_each_change()
    {
        await using var fixture = await DashboardFixture.StartAsync(Ct);
        await using var events = fixture.EventsAsync("/api/resources/watch", null, Ct).GetAsyncEnumerator(Ct);

        Assert.True(await events.MoveNextAsync());
        Assert.Equal("all", events.Current.Name);
        Assert.Contains("\"Running\"", events.Current.Data);

        await fixture.PublishAsync("Stopping");
        Assert.True(await events.MoveNextAsync());
        Assert.Equal("changed", events.Current.Name);
        Assert.Contains("\"Stopping\"", events.Current.Data);
    }

    [Fact]
    public async Task Log_gives_what_was_kept_then_new_lines_and_resumes()
    {
        await using var fixture = await DashboardFixture.StartAsync(Ct);
        fixture.Loggers.Append(DashboardFixture.ResourceId, "\e[32mfirst\e[0m", isError: false);
        fixture.Loggers.Append(DashboardFixture.ResourceId, "second", isError: true);
        string resumeAt;
        await using (var events = fixture.EventsAsync(LogPath, null, Ct).GetAsyncEnumerator(Ct))
        {
            Assert.True(await events.MoveNextAsync());
            Assert.Equal("""[[1,false,"first"],[2,true,"second"]]""", events.Current.Data);

            fixture.Loggers.Append(DashboardFixture.ResourceId, "third", isError: false);
            Assert.True(await events.MoveNextAsync());
            Assert.Equal("""[[3,false,"third"]]""", events.Current.Data);
            resumeAt = events.Current.Id;
        }

        fixture.Loggers.Append(DashboardFixture.ResourceId, "fourth", isError: false);
        await using var resumed = fixture.EventsAsync(LogPath, resumeAt, Ct).GetAsyncEnumerator(Ct);
        Assert.True(await resumed.MoveNextAsync());
        Assert.Equal("""[[4,false,"fourth"]]""", resumed.Current.Data);

        await using var comingBack = fixture.EventsAsync($"{LogPath}?after={resumeAt}", null, Ct).GetAsyncEnumerator(Ct);
        Assert.True(await comingBack.MoveNextAsync());
        Assert.Equal("""[[4,false,"fourth"]]""", comingBack.Current.Data);

        await using var ofEarlierHost = fixture.EventsAsync(LogPath, "0badcafe-3", Ct).GetAsyncEnumerator(Ct);
        Assert.True(await ofEarlierHost.MoveNextAsync());
        Assert.StartsWith("""[[1,""", ofEarlierHost.Current.Data);
    }

    [Fact]
    public async Task Command_is_executed_for_that_instance()
    {
        await using var fixture = await DashboardFixture.StartAsync(Ct);

        using var response = await fixture.PostAsync(StopPath, Ct, Header, ("Origin", fixture.Server.Url), ("Sec-Fetch-Site", "same-origin"));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(DashboardFixture.ResourceId, await fixture.Commands.Reader.ReadAsync(Ct));
    }

    [Fact]
    public async Task Command_that_fails_says_why()
    {
        await using var fixture = await DashboardFixture.StartAsync(Ct);

        using var failed = await fixture.PostAsync(StartPath, Ct, Header);
        using var unknown = await fixture.PostAsync($"/api/resources/{DashboardFixture.ResourceId}/commands/nonsense", Ct, Header);
        using var unknownResource = await fixture.PostAsync("/api/resources/nobody/commands/stop", Ct, Header);
        using var unknownLog = await fixture.Client.GetAsync("/api/resources/nobody/logs", Ct);

        Assert.Equal(HttpStatusCode.Conflict, failed.StatusCode);
        var text = await failed.Content.ReadAsStringAsync(Ct);
        Assert.Contains("no: Password=", text);
        Assert.DoesNotContain("hunter2", text);
        Assert.Equal(HttpStatusCode.Conflict, unknown.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, unknownResource.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, unknownLog.StatusCode);
    }

    [Fact]
    public async Task Requests_of_other_sites_are_refused()
    {
        await using var fixture = await DashboardFixture.StartAsync(Ct);
        var port = new Uri(fixture.Server.Url).Port;
        (string, string)[][] attacks =
        [
            [],
            [Header, ("Origin", "http://evil.example")],
            [Header, ("Origin", "http://localhost:1")],
            [Header, ("Origin", "null")],
            [Header, ("Host", "evil.example")],
            [Header, ("Host", $"evil.example:{port}"), ("Origin", $"http://evil.example:{port}")],
            [Header, ("Sec-Fetch-Site", "cross-site")],
            [Header, ("Sec-Fetch-Site", "same-site")],
        ];

        foreach (var headers in attacks)
        {
            using var response = await fixture.PostAsync(StopPath, Ct, headers);
            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        }

        // A foreign name that resolves to this machine must not read, either.
        using var read = new HttpRequestMessage(HttpMethod.Get, "/api/resources") { Headers = { Host = $"evil.example:{port}" } };
        using var answer = await fixture.Client.SendAsync(read, Ct);
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.False(fixture.Commands.Reader.TryRead(out _));
    }

    [Theory]
    [InlineData("http://0.0.0.0:15100")]
    [InlineData("http://example.org:15100")]
    [InlineData("15100")]
    public async Task Address_must_be_of_this_machine(string url)
    {
        await using var services = new ServiceCollection().BuildServiceProvider();

        Assert.Contains(url, Assert.Throws<DistributedApplicationException>(() => new DashboardServer(services, url)).Message);
    }

    [Fact]
    public async Task Address_in_use_is_said()
    {
        await using var fixture = await DashboardFixture.StartAsync(Ct);
        await using var second = fixture.Another(fixture.Server.Url);

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => second.StartAsync(Ct));

        Assert.Contains(fixture.Server.Url, error.Message);
    }

    [Fact]
    public async Task Dispose_ends_open_streams_at_once()
    {
        var fixture = await DashboardFixture.StartAsync(Ct);
        await using var watch = fixture.EventsAsync("/api/resources/watch", null, Ct).GetAsyncEnumerator(Ct);
        fixture.Loggers.Append(DashboardFixture.ResourceId, "line", isError: false);
        await using var log = fixture.EventsAsync(LogPath, null, Ct).GetAsyncEnumerator(Ct);
        Assert.True(await watch.MoveNextAsync());
        Assert.True(await log.MoveNextAsync());

        var clock = Stopwatch.StartNew();
        await fixture.Server.DisposeAsync();

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(1.5));
        Assert.False(await watch.MoveNextAsync());
        Assert.False(await log.MoveNextAsync());
        await fixture.DisposeAsync();
    }
}
