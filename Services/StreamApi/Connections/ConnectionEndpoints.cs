using AspireStreaming.StreamApi.Delivery;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>A connection, as <c>GET /connections</c> tells of it.</summary>
internal sealed record ConnectionInfo(
    string Id,
    string Transport,
    string? Remote,
    string? UserAgent,
    DateTimeOffset Since,
    string Stream,
    string Position,
    long Lag,
    string Mode,
    string Tier,
    long Bytes,
    long Drops);

/// <summary>The answer of <c>GET /connections</c>.</summary>
internal sealed record ConnectionList(IReadOnlyList<ConnectionInfo> Connections, IReadOnlyList<string> Unanswered);

internal static class ConnectionEndpoints
{
    public static void MapConnections(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/connections", (ConnectionRegistry registry) => TypedResults.Json(
            new ConnectionList([.. registry.All.OrderBy(connection => connection.Since).Select(Describe)], []),
            StreamApiJson.Default.ConnectionList));
        endpoints.MapDelete("/connections/{id}", (string id, ConnectionRegistry registry) => registry.Close(id)
            ? Results.NoContent()
            : Problems.NotFound("unknown-connection", "No connection of this replica has this id."));
    }

    private static ConnectionInfo Describe(LiveConnection connection) => new(
        connection.Id,
        connection.Transport,
        connection.Remote,
        connection.UserAgent,
        connection.Since,
        connection.Stream,
        connection.Position.ToString(),
        connection.Lag,
        connection.IsCaughtUp && connection.Tier == Tier.Window ? "live" : "catch-up",
        NameOf(connection.Tier),
        connection.Bytes,
        connection.Drops);

    private static string NameOf(Tier tier) => tier switch
    {
        Tier.Window => "window",
        Tier.Log => "log",
        _ => "archive",
    };
}
