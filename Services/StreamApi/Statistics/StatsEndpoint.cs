using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.StreamApi.Fleet;

namespace AspireStreaming.StreamApi.Statistics;

internal static class StatsEndpoint
{
    public static void MapStats(this IEndpointRouteBuilder endpoints) => endpoints.MapGet("/stats", DescribeAsync).RequireAdmin();

    private static async Task<IResult> DescribeAsync(HttpContext context, FleetChannel fleet, string? scope = null) =>
        FleetScope.TryParse(scope, out var isLocal)
            ? TypedResults.Json(
                Merge(await fleet.AskAsync(FleetQuestion.Stats, isLocal, context.RequestAborted)), StreamApiJson.Default.StatsDocument)
            : FleetScope.Refuse();

    /// <summary>The replicas' answers as one.</summary>
    internal static StatsDocument Merge(FleetOutcome outcome)
    {
        var parts = outcome.Replies.Select(reply => reply.Stats).OfType<ReplicaStats>().ToArray();
        var counts = parts.Select(part => part.Counts).OrderBy(count => count.Name, StringComparer.Ordinal).ToArray();
        return new StatsDocument(
            new ConnectionStats(
                counts.Sum(count => count.Connections.Active),
                counts.Sum(count => count.Connections.Max),
                Sum(counts.Select(count => count.Connections.Transports)),
                Sum(counts.Select(count => count.Connections.Tiers))),
            new FeedStats(
                counts.Sum(count => count.Streams.Active),
                counts.Sum(count => count.Streams.Healthy),
                counts.Sum(count => count.Streams.Subscribers),
                counts.Sum(count => count.Streams.WindowBytes)),
            new DeliveryStats(counts.Sum(count => count.Delivered.Events), counts.Sum(count => count.Delivered.Bytes)),
            new WorkflowHealth(
                counts.Sum(count => count.Workflows.Total),
                counts.Sum(count => count.Workflows.Running),
                counts.Sum(count => count.Workflows.Completed),
                counts.Sum(count => count.Workflows.Failed),
                counts.Sum(count => count.Workflows.Cancelled)),
            [.. parts.SelectMany(part => part.Feeds).OrderByDescending(feed => feed.Subscribers).ThenBy(feed => feed.Stream, StringComparer.Ordinal)],
            [.. parts.SelectMany(part => part.Sessions).OrderBy(session => session.Id, StringComparer.Ordinal)],
            parts.Any(part => part.Truncated),
            counts,
            outcome.Unanswered,
            outcome.IsPartial);
    }

    private static Dictionary<string, int> Sum(IEnumerable<IReadOnlyDictionary<string, int>> counts)
    {
        var sum = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (key, value) in counts.SelectMany(count => count))
        {
            sum[key] = sum.GetValueOrDefault(key) + value;
        }

        return sum;
    }
}
