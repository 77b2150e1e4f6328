using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dashboard;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireStreaming.Hosting.Local.Tests.Dashboard;

/// <summary>A dashboard over the real services of the host, with one resource that nothing runs.</summary>
internal sealed class DashboardFixture : IAsyncDisposable, IHostApplicationLifetime
{
    public const string ResourceId = "api-abcdefgh";

    private readonly ServiceProvider _services;

    private DashboardFixture()
    {
        Loggers = new ResourceLoggerService();
        _services = new ServiceCollection()
            .AddSingleton(Loggers)
            .AddSingleton<ResourceNotificationService>(
                services => new(NullLogger<ResourceNotificationService>.Instance, this, services, Loggers))
            .AddSingleton<ResourceCommandService>(services => new(Notifications, Loggers, services))
            .BuildServiceProvider();
        Resource.Annotations.Add(Command("stop", context =>
        {
            Commands.Writer.TryWrite(context.ResourceName);
            return Task.FromResult(CommandResults.Success());
        }));
        Resource.Annotations.Add(Command("start", _ => Task.FromResult(CommandResults.Failure("no: Password=hunter2"))));
        Server = new DashboardServer(_services, "http://127.0.0.1:0");
    }

    public Resource Resource { get; } = new NamedResource("api");

    public ResourceLoggerService Loggers { get; }

    public ResourceNotificationService Notifications => _services.GetRequiredService<ResourceNotificationService>();

    public Channel<string> Commands { get; } = Channel.CreateUnbounded<string>();

    public DashboardServer Server { get; }

    public HttpClient Client { get; } = new();

    public CancellationToken ApplicationStarted => CancellationToken.None;

    public CancellationToken ApplicationStopping => CancellationToken.None;

    public CancellationToken ApplicationStopped => CancellationToken.None;

    public static async Task<DashboardFixture> StartAsync(CancellationToken cancellationToken)
    {
        var fixture = new DashboardFixture();
        await fixture.Server.StartAsync(cancellationToken);
        fixture.Client.BaseAddress = new Uri(fixture.Server.Url);
        await fixture.PublishAsync("Running");
        await Eventually.TrueAsync(
            async () => (await fixture.Client.GetStringAsync("/api/resources", cancellationToken)).Contains(ResourceId, StringComparison.Ordinal),
            TimeSpan.FromSeconds(5),
            "the dashboard knows the resource",
            cancellationToken);
        return fixture;
    }

    public DashboardServer Another(string url) => new(_services, url);

    public Task PublishAsync(string state, Func<CustomResourceSnapshot, CustomResourceSnapshot>? change = null) =>
        Notifications.PublishUpdateAsync(Resource, ResourceId, snapshot =>
        {
            snapshot = snapshot with { ResourceType = "Project", State = new ResourceStateSnapshot(state, null) };
            return change is null ? snapshot : change(snapshot);
        });

    public Task<HttpResponseMessage> PostAsync(string path, CancellationToken cancellationToken, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return Client.SendAsync(request, cancellationToken);
    }

    /// <summary>Reads server-sent events as (id, name, data).</summary>
    public async IAsyncEnumerable<(string Id, string Name, string Data)> EventsAsync(
        string path,
        string? lastEventId,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        var (id, name) = ("", "");
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith("id: ", StringComparison.Ordinal))
            {
                id = line[4..];
            }
            else if (line.StartsWith("event: ", StringComparison.Ordinal))
            {
                name = line[7..];
            }
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                yield return (id, name, line[6..]);
            }
        }
    }

    public void StopApplication()
    {
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Client.Dispose();
        await _services.DisposeAsync();
    }

    private static ResourceCommandAnnotation Command(string name, Func<ExecuteCommandContext, Task<ExecuteCommandResult>> execute) =>
        new(name, name, _ => ResourceCommandState.Enabled, execute, null, null, null, null, null, false);

    private sealed class NamedResource(string name) : Resource(name);
}
