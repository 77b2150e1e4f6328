using System.Text.Json.Serialization;
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
    long Drops,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<FollowedStream>? Streams);

/// <summary>One stream of a connection that follows several.</summary>
internal sealed record FollowedStream(string Stream, string Position, long Lag, string Mode, string Tier, long Drops);

/// <summary>The answer of <c>GET /connections</c>.</summary>
internal sealed record ConnectionList(IReadOnlyList<ConnectionInfo> Connections, IReadOnlyList<string> Unanswered);

internal static class ConnectionEndpoints
{
    private const string Live = "live";
    private const string CatchUp = "catch-up";

    public static void MapConnections(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/connections", (ConnectionRegistry registry) => TypedResults.Json(
            new ConnectionList([.. registry.All.OrderBy(connection => connection.Since).Select(Describe)], []),
            StreamApiJson.Default.ConnectionList)).RequireAdmin();
        endpoints.MapDelete("/connections/{id}", (string id, ConnectionRegistry registry) => registry.Close(id)
            ? Results.NoContent()
            : Problems.NotFound("unknown-connection", "No connection of this replica has this id.")).RequireAdmin();
    }

    private static ConnectionInfo Describe(LiveConnection connection)
    {
        // Of several streams the one furthest behind speaks for the connection; each has its own row beside.
        var followed = connection.Followers.Select(Describe).ToArray();
        var worst = followed.MaxBy(stream => stream.Lag);
        return new ConnectionInfo(
            connection.Id,
            connection.Transport,
            connection.Remote,
            connection.UserAgent,
            connection.Since,
            connection.Stream,
            worst?.Position ?? "0-0",
            worst?.Lag ?? 0,
            followed.All(stream => stream.Mode == Live) ? Live : CatchUp,
            worst?.Tier ?? NameOf(Tier.Window),
            connection.Bytes,
            followed.Sum(stream => stream.Drops),
            followed.Length == 1 ? null : followed);
    }

    private static FollowedStream Describe(StreamFollower follower) => new(
        follower.Stream,
        follower.Position.ToString(),
        follower.Lag,
        follower.IsCaughtUp && follower.Tier == Tier.Window ? Live : CatchUp,
        NameOf(follower.Tier),
        follower.Drops);

    private static string NameOf(Tier tier) => tier switch
    {
        Tier.Window => "window",
        Tier.Log => "log",
        _ => "archive",
    };
}
