using AspireStreaming.Client.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.Client.Tests.DependencyInjection;

public sealed class RegistrationTests(Servers servers)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(StreamTransport.ServerSentEvents)]
    [InlineData(StreamTransport.Grpc)]
    [InlineData(StreamTransport.WebSocket)]
    public async Task AddAspireStreamingClient_with_service_defaults_finds_the_services_by_their_names(StreamTransport transport)
    {
        var builder = WebApplication.CreateBuilder(
        [
            "--environment=Development",
            $"--Services:publisher-api:http:0={servers.Publisher.Http}",
            $"--Services:stream-api:http:0={servers.StreamApi.Http}",
            $"--Services:stream-api:grpc:0={servers.StreamApi.Grpc}",
        ]);
        builder.AddServiceDefaults();
        builder.Services.AddAspireStreamingClient(static options => options.Source = "/registered");
        await using var app = builder.Build();
        var stream = Servers.NewStream();

        await app.Services.GetRequiredService<EventPublisher>().PublishAsync(stream, [Numbers.Event(1), new NewEvent("STREAM_END")], cancellationToken: Token);
        var types = new List<string>();
        await foreach (var item in app.Services.GetRequiredService<EventSubscriber>()
            .SubscribeAsync(stream, new SubscribeOptions { Transport = transport }, Token))
        {
            types.Add($"{item.Type} {item.Source}");
        }

        Assert.Equal(["token /tests", "STREAM_END /registered"], types);
    }

    [Fact]
    public async Task AddAspireStreamingClient_handlers_of_one_s_own_take_part()
    {
        var seen = new List<string>();
        var services = new ServiceCollection();
        services.AddAspireStreamingClient(options => options.PublisherUrl = servers.Publisher.Http);
        services.AddHttpClient(StreamingClientServiceCollectionExtensions.PublisherHttpClient)
            .AddHttpMessageHandler(() => new Recorder(seen));
        await using var provider = services.BuildServiceProvider();

        await provider.GetRequiredService<EventPublisher>().PublishAsync(Servers.NewStream("di"), Numbers.Event(1), cancellationToken: Token);

        Assert.StartsWith("/streams/di-", Assert.Single(seen), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(StreamingClientServiceCollectionExtensions.PublisherHttpClient)]
    [InlineData(StreamingClientServiceCollectionExtensions.SubscriberHttpClient)]
    public void AddAspireStreamingClient_leaves_out_resilience_of_the_defaults(string name)
    {
        var services = new ServiceCollection();
        services.ConfigureHttpClientDefaults(static http => http.AddStandardResilienceHandler());
        services.AddAspireStreamingClient();
        using var provider = services.BuildServiceProvider();

        Assert.DoesNotContain(Handlers(name), static handler => handler.GetType().Name.Contains("Resilience", StringComparison.Ordinal));
        Assert.Contains(Handlers("another"), static handler => handler.GetType().Name.Contains("Resilience", StringComparison.Ordinal));
        Assert.Equal(Timeout.InfiniteTimeSpan, provider.GetRequiredService<IHttpClientFactory>().CreateClient(name).Timeout);

        List<HttpMessageHandler> Handlers(string client)
        {
            var found = new List<HttpMessageHandler>();
            for (HttpMessageHandler? handler = provider.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler(client);
                handler is not null;
                handler = (handler as DelegatingHandler)?.InnerHandler)
            {
                found.Add(handler);
            }

            return found;
        }
    }

    [Fact]
    public void AddAspireStreamingClient_wrong_options_are_refused()
    {
        var services = new ServiceCollection();
        services.AddAspireStreamingClient(static options => options.RequestTimeout = TimeSpan.Zero);
        using var provider = services.BuildServiceProvider();

        Assert.Throws<ArgumentOutOfRangeException>(() => provider.GetRequiredService<EventPublisher>());
    }

    private sealed class Recorder(List<string> seen) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            seen.Add(request.RequestUri!.AbsolutePath);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
