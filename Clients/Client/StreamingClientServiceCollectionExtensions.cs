using AspireStreaming.Client;
using AspireStreaming.Client.Http;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the client.</summary>
public static class StreamingClientServiceCollectionExtensions
{
    /// <summary>Name of the publisher's HTTP client, for handlers of one's own.</summary>
    public const string PublisherHttpClient = "AspireStreaming.Publisher";

    /// <summary>Name of the subscriber's HTTP client, for handlers of one's own; gRPC and WebSocket go through it too.</summary>
    public const string SubscriberHttpClient = "AspireStreaming.Subscriber";

    private const string ResilienceNamespace = "Microsoft.Extensions.Http.Resilience";

    /// <summary>
    /// Adds <see cref="EventPublisher"/> and <see cref="EventSubscriber"/> as singletons. With service discovery on the HTTP clients (as
    /// ServiceDefaults do) the default addresses find the resources <c>publisher-api</c> and <c>stream-api</c>.
    /// </summary>
    /// <remarks>
    /// Resilience handlers that were added for all HTTP clients are left out of these two: this library retries by itself, knowing what
    /// is safe to repeat, and their time limits would cut off long polls.
    /// </remarks>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets addresses, credentials and limits.</param>
    public static IServiceCollection AddAspireStreamingClient(this IServiceCollection services, Action<StreamingClientOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var options = services.AddOptions<StreamingClientOptions>();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        AddHttpClient(services, PublisherHttpClient, static options => options.PublisherUrl);
        AddHttpClient(services, SubscriberHttpClient, static options => options.StreamApiUrl);
        services.TryAddSingleton(static provider => new EventPublisher(
            provider.GetRequiredService<IHttpClientFactory>().CreateClient(PublisherHttpClient),
            provider.GetRequiredService<IOptions<StreamingClientOptions>>().Value,
            provider.GetService<TimeProvider>(),
            provider.GetService<ILogger<EventPublisher>>()));
        services.TryAddSingleton(static provider => new EventSubscriber(
            provider.GetRequiredService<IHttpClientFactory>().CreateClient(SubscriberHttpClient),
            provider.GetRequiredService<IOptions<StreamingClientOptions>>().Value,
            provider.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler(SubscriberHttpClient),
            provider.GetService<TimeProvider>(),
            provider.GetService<ILogger<EventSubscriber>>()));
        return services;
    }

    private static void AddHttpClient(IServiceCollection services, string name, Func<StreamingClientOptions, Uri> url) => services
        .AddHttpClient(name)
        .ConfigureHttpClient((provider, client) =>
        {
            client.BaseAddress = url(provider.GetRequiredService<IOptions<StreamingClientOptions>>().Value);

            // A subscription lasts for hours; every request has a limit of its own.
            client.Timeout = Timeout.InfiniteTimeSpan;
        })
        .ConfigurePrimaryHttpMessageHandler(static () => Handlers.Create())

        // The singletons keep their handlers, whose connections are renewed instead.
        .SetHandlerLifetime(Timeout.InfiniteTimeSpan)

        // Four lines for each publish would be most of a publisher's log; retries and breaks are logged here.
        .RemoveAllLoggers()
        .ConfigureAdditionalHttpMessageHandlers(static (handlers, _) =>
        {
            for (var index = handlers.Count - 1; index >= 0; index--)
            {
                if (handlers[index].GetType().Namespace?.StartsWith(ResilienceNamespace, StringComparison.Ordinal) == true)
                {
                    handlers.RemoveAt(index);
                }
            }
        });
}
