using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Sessions.WebSockets;

/// <summary><c>GET /ws</c>.</summary>
internal static class WebSocketEndpoint
{
    private const string Path = "/ws";

    /// <summary>Lets <c>/ws</c> become WebSockets; before the endpoints.</summary>
    public static void UseSessionSockets(this WebApplication app)
    {
        var delivery = app.Services.GetRequiredService<IOptions<DeliveryOptions>>().Value;
        app.UseWhen(context => context.Request.Path == Path, branch =>
        {
            branch.Use(static (context, next) =>
            {
                if (context.Features.Get<IHttpUpgradeFeature>() is { } upgrade)
                {
                    context.Features.Set<IHttpUpgradeFeature>(new UpgradeFeature(upgrade, context.Features.Get<IConnectionTransportFeature>()));
                }

                return next(context);
            });

            // The ping keeps proxies from closing a quiet connection, and a client that is gone is noticed by the pong that does not come.
            branch.UseWebSockets(new WebSocketOptions { KeepAliveInterval = delivery.Heartbeat, KeepAliveTimeout = delivery.WriteTimeout });
        });
    }

    /// <summary>Maps <c>GET /ws</c>.</summary>
    public static void MapSessionSockets(this IEndpointRouteBuilder endpoints) => endpoints.MapGet(Path, ServeAsync);

    private static async Task<IResult> ServeAsync(HttpContext context, SessionRunner runner, SessionServices services)
    {
        if (!context.WebSockets.IsWebSocketRequest || context.Features.Get<IHttpUpgradeFeature>() is not UpgradeFeature upgrade)
        {
            context.Response.Headers.Upgrade = "websocket";
            return Problems.UpgradeRequired();
        }

        var refusal = await runner.RunAsync(context, async () =>
        {
            var socket = await context.WebSockets.AcceptWebSocketAsync();
            return new WebSocketSession(context, socket, upgrade.Stream!, services);
        });
        return refusal is null ? TypedResults.Empty : Problems.Refused(context, refusal);
    }
}
