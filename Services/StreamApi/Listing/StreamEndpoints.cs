using System.Globalization;
using AspireStreaming.StreamApi.Fleet;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Listing;

internal static class StreamEndpoints
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = FleetQuestion.MaxItems;

    public static void MapStreams(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/streams", ListAsync);
        endpoints.MapGet("/streams/{stream}", DescribeAsync).RequireSubscribe();
    }

    private static async Task<IResult> ListAsync(
        HttpContext context, StreamListing listing, FleetChannel fleet, string? limit = null, string? cursor = null, string? scope = null)
    {
        var count = DefaultLimit;
        if (limit is not null && !(int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 1 and <= MaxLimit))
        {
            return Problems.InvalidParameter("limit", $"It is a number from 1 to {MaxLimit}.");
        }

        StreamListing.Cursor? after = null;
        if (cursor is not null)
        {
            if (!StreamListing.Cursor.TryParse(cursor, out var parsed))
            {
                return Problems.InvalidParameter("cursor", "It is the 'next' of an earlier page.");
            }

            after = parsed;
        }

        if (!FleetScope.TryParse(scope, out var isLocal))
        {
            return FleetScope.Refuse();
        }

        return await Dependencies.GuardAsync(context, async () =>
        {
            var page = await listing.ListAsync(count, after, context.GetStreamAccess().CanSubscribe, context.RequestAborted);
            var outcome = await fleet.AskAsync(
                FleetQuestion.Subscribers([.. page.Streams.Select(stream => stream.Name)]), isLocal, context.RequestAborted);
            return TypedResults.Json(
                page with
                {
                    Streams = [.. page.Streams.Select(stream => stream with { Subscribers = Subscribers(outcome, stream.Name) })],
                    Unanswered = outcome.Unanswered,
                    Partial = page.Partial || outcome.IsPartial,
                },
                StreamApiJson.Default.StreamList);
        });
    }

    private static async Task<IResult> DescribeAsync(
        HttpContext context, string stream, StreamListing listing, FleetChannel fleet, string? scope = null)
    {
        if (!StreamName.IsValid(stream))
        {
            return Problems.InvalidParameter("stream", StreamName.Rule + ".");
        }

        if (!FleetScope.TryParse(scope, out var isLocal))
        {
            return FleetScope.Refuse();
        }

        return await Dependencies.GuardAsync(context, async () =>
        {
            var asking = fleet.AskAsync(FleetQuestion.Subscribers(stream), isLocal, context.RequestAborted);
            var described = await listing.DescribeAsync(stream, context.RequestAborted);
            var outcome = await asking;
            return described is { Info: var info, IsPartial: var isPartial }
                ? TypedResults.Json(
                    new StreamDocument(
                        info.Name,
                        info.First,
                        info.Last,
                        info.Count,
                        info.ArchivedTo,
                        Subscribers(outcome, stream),
                        info.State,
                        outcome.Unanswered,
                        isPartial || outcome.IsPartial),
                    StreamApiJson.Default.StreamDocument)
                : Problems.NotFound("unknown-stream", "Nobody has published to this stream, or it was deleted.");
        });
    }

    private static int Subscribers(FleetOutcome outcome, string stream) =>
        outcome.Replies.Sum(reply => reply.Subscribers?.GetValueOrDefault(stream) ?? 0);
}
