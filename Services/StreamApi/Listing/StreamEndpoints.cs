using System.Globalization;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Listing;

internal static class StreamEndpoints
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;

    public static void MapStreams(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/streams", ListAsync);
        endpoints.MapGet("/streams/{stream}", DescribeAsync).RequireSubscribe();
    }

    private static async Task<IResult> ListAsync(HttpContext context, StreamListing listing, string? limit = null, string? cursor = null)
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

        return await Dependencies.GuardAsync(
            context, async () => TypedResults.Json(await listing.ListAsync(count, after, context.RequestAborted), StreamApiJson.Default.StreamList));
    }

    private static async Task<IResult> DescribeAsync(HttpContext context, string stream, StreamListing listing)
    {
        if (!StreamName.IsValid(stream))
        {
            return Problems.InvalidParameter("stream", StreamName.Rule + ".");
        }

        return await Dependencies.GuardAsync(context, async () => await listing.DescribeAsync(stream, context.RequestAborted) is { } info
            ? TypedResults.Json(info, StreamApiJson.Default.StreamInfo)
            : Problems.NotFound("unknown-stream", "Nobody has published to this stream, or it was deleted."));
    }
}
