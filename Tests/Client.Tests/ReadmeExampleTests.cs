using AspireStreaming.Client.Tests.Support;
using AspireStreaming.TestSupport;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.Client.Tests;

/// <summary>The example in the README is compiled, runs, and is the one that is read.</summary>
public sealed class ReadmeExampleTests(Servers servers)
{
    private const string Registration = "builder.Services.AddAspireStreamingClient();";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Example_in_the_readme_is_this_one()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(RepositoryPaths.Root, "README.md"), Token);
        var source = await File.ReadAllTextAsync(Path.Combine(RepositoryPaths.Root, "Tests/Client.Tests/ReadmeExample.cs"), Token);

        Assert.Contains(source[source.IndexOf("public sealed class", StringComparison.Ordinal)..].Trim(), readme, StringComparison.Ordinal);
        Assert.Contains(Registration, readme, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Example_runs_to_its_end()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddAspireStreamingClient(options =>
        {
            options.PublisherUrl = servers.Publisher.Http;
            options.StreamApiUrl = servers.StreamApi.Http;
        });
        builder.Services.AddSingleton<Assistant>();
        using var host = builder.Build();
        var example = host.Services.GetRequiredService<Assistant>();

        await example.StartAsync(Token);
        await example.ExecuteTask!.WaitAsync(TimeSpan.FromSeconds(30), Token);

        var events = new List<string>();
        await foreach (var item in host.Services.GetRequiredService<EventSubscriber>().SubscribeAsync("run-42", cancellationToken: Token))
        {
            events.Add(item.Type);
        }

        Assert.Equal(["token", "WORKFLOW_COMPLETED"], events);
    }
}
