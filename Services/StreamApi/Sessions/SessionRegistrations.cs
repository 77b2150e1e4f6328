using AspireStreaming.ServiceDefaults;
using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.Streaming;
using Grpc.AspNetCore.Server;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>What sessions need.</summary>
internal static class SessionRegistrations
{
    public static void AddSessions(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptionsWithValidateOnStart<SessionOptions>()
            .Bind(builder.Configuration.GetSection(SessionOptions.SectionName))
            .ValidateDataAnnotations();
        builder.Services.AddSingleton(
            provider => new InFlightBytes(provider.GetRequiredService<IOptions<SessionOptions>>().Value.MaxPublishBytes));
        builder.Services.AddSingleton<SessionPublisher>();
        builder.Services.AddSingleton<SessionServices>();
        builder.Services.AddSingleton<SessionRunner>();
        builder.Services.AddSingleton<ISessionStatistics, SessionStatistics>();
        builder.Services.AddSingleton<DurableCursors>();
        builder.Services.AddHostedService(services => services.GetRequiredService<DurableCursors>());
        builder.Services.AddHttpClient(
            SessionPublisher.ClientName,
            client =>
            {
                // Each try has a limit of its own.
                client.BaseAddress = new Uri($"https+http://{ResourceNames.PublisherApi}");
                client.Timeout = Timeout.InfiniteTimeSpan;
            });
        builder.Services.AddOptions<GrpcServiceOptions>()
            .Configure<IOptions<SessionOptions>>((grpc, sessions) => grpc.MaxReceiveMessageSize = sessions.Value.MaxFrameBytes);
    }
}
