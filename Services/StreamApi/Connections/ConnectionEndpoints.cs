using System.Globalization;
using AspireStreaming.StreamApi.Fleet;

namespace AspireStreaming.StreamApi.Connections;

/// <summary>The answer of <c>GET /connections</c>.</summary>
/// <param name="Connections">The connections, the oldest first.</param>
/// <param name="Total">How many there are on the replicas that answered.</param>
/// <param name="Truncated">Whether there are more after these.</param>
/// <param name="Next">The cursor of those; null when there are none.</param>
/// <param name="Unanswered">Replicas that did not answer in time.</param>
/// <param name="Partial">Whether something is missing, named in <paramref name="Unanswered"/> or not known.</param>
internal sealed record ConnectionList(
    IReadOnlyList<ConnectionRow> Connections, int Total, bool Truncated, string? Next, IReadOnlyList<string> Unanswered, bool Partial);

internal static class ConnectionEndpoints
{
    private const int MaxIdLength = 64;

    public static void MapConnections(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/connections", ListAsync).RequireAdmin();
        endpoints.MapDelete("/connections/{id}", CloseAsync).RequireAdmin();
    }

    private static async Task<IResult> ListAsync(
        HttpContext context, FleetChannel fleet, string? limit = null, string? cursor = null, string? scope = null)
    {
        var count = FleetQuestion.MaxItems;
        if (limit is not null
            && !(int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 1 and <= FleetQuestion.MaxItems))
        {
            return Problems.InvalidParameter("limit", $"It is a number from 1 to {FleetQuestion.MaxItems}.");
        }

        if (cursor is not null && (cursor.Length is 0 or > MaxIdLength || !cursor.All(char.IsAsciiLetterOrDigit)))
        {
            return Problems.InvalidParameter("cursor", "It is the 'next' of an earlier page.");
        }

        if (!FleetScope.TryParse(scope, out var isLocal))
        {
            return FleetScope.Refuse();
        }

        var outcome = await fleet.AskAsync(FleetQuestion.Connections(count, cursor), isLocal, context.RequestAborted);
        return TypedResults.Json(Merge(outcome, count), StreamApiJson.Default.ConnectionList);
    }

    private static async Task<IResult> CloseAsync(HttpContext context, string id, FleetChannel fleet, string? scope = null)
    {
        if (!FleetScope.TryParse(scope, out var isLocal))
        {
            return FleetScope.Refuse();
        }

        var outcome = await fleet.AskAsync(FleetQuestion.Close(id.Length <= MaxIdLength ? id : ""), isLocal, context.RequestAborted);
        return outcome.Replies.Any(reply => reply.Closed)
            ? TypedResults.NoContent()
            : Problems.UnknownConnection(outcome.Unanswered, outcome.IsPartial);
    }

    /// <summary>The replicas' pages as one. It ends where the first of those ends that have more, or the next page would pass over that.</summary>
    private static ConnectionList Merge(FleetOutcome outcome, int limit)
    {
        var end = outcome.Replies.Where(reply => reply is { HasMore: true, Connections.Count: > 0 })
            .Select(reply => reply.Connections![^1].Id).Min(StringComparer.Ordinal);
        ConnectionRow[] listed =
        [
            .. outcome.Replies.SelectMany(reply => reply.Connections ?? [])
                .Where(row => end is null || string.CompareOrdinal(row.Id, end) <= 0)
                .OrderBy(row => row.Id, StringComparer.Ordinal)
                .Take(limit),
        ];
        var isTruncated = end is not null || outcome.Replies.Sum(reply => reply.Connections?.Count ?? 0) > listed.Length;
        return new ConnectionList(
            listed,
            outcome.Replies.Sum(reply => reply.Total),
            isTruncated,
            isTruncated ? listed[^1].Id : null,
            outcome.Unanswered,
            outcome.IsPartial);
    }
}
