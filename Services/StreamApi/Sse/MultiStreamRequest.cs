using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>What a client of several streams asks for.</summary>
/// <param name="Subscriptions">The subscriptions, in the order of the URL.</param>
/// <param name="Cursor">The form of its ids.</param>
/// <param name="Named">Whether frames carry the event's type as their name.</param>
internal sealed record MultiStreamRequest(IReadOnlyList<SubscriptionRequest> Subscriptions, VectorCursor Cursor, bool Named)
{
    /// <summary>Reads the parameters of <c>GET /events</c>; a result instead when one is malformed.</summary>
    public static IResult? TryRead(HttpRequest http, out MultiStreamRequest? request)
    {
        request = null;
        if (http.Query.ContainsKey("match"))
        {
            return Problems.NotSupported("match", "Wildcards are reserved; name each stream with 'stream'.");
        }

        if (ReadStreams(http, out var names, out var starts) is { } fault)
        {
            return fault;
        }

        if (EventsRequest.TryReadDelivery(http, out var delivery) is { } malformed)
        {
            return malformed;
        }

        var cursor = new VectorCursor(names);
        var (parameter, id) = EventsRequest.LastEventId(http);
        if (id is not null)
        {
            if (!cursor.TryParse(id, out var positions))
            {
                return Problems.InvalidParameter(parameter, "It is the id of a frame that a connection to this very list of streams sent.");
            }

            starts = Array.ConvertAll(positions, position => new StartFrom(StartKind.Position, position));
        }

        request = new MultiStreamRequest(
            [.. names.Select((name, index) => new SubscriptionRequest(name, starts[index], delivery.Types, delivery.Policy, delivery.Lag))],
            cursor,
            delivery.Named);
        return null;
    }

    private static ProblemHttpResult? ReadStreams(HttpRequest http, out string[] names, out StartFrom[] starts)
    {
        var values = http.Query["stream"];
        names = new string[values.Count];
        starts = new StartFrom[values.Count];
        if (values.Count is 0 or > VectorCursor.MaxStreams)
        {
            return Problems.InvalidParameter("stream", $"There are 1 to {VectorCursor.MaxStreams} of them.");
        }

        // A start of the whole list holds for the streams that name none of their own.
        var common = default(StartFrom);
        if (http.Query["from"] is [.., { } from] && !StartFrom.TryParse(from, out common))
        {
            return Problems.InvalidParameter("from", $"It is {StartFrom.Rule}.");
        }

        for (var index = 0; index < names.Length; index++)
        {
            var value = values[index] ?? "";
            var at = value.IndexOf('@', StringComparison.Ordinal);
            names[index] = at < 0 ? value : value[..at];
            if (!StreamName.IsValid(names[index]))
            {
                return Problems.InvalidParameter("stream", StreamName.Rule + ", perhaps with '@' and where to start behind it.");
            }

            starts[index] = common;
            if (at >= 0 && !StartFrom.TryParse(value[(at + 1)..], out starts[index]))
            {
                return Problems.InvalidParameter("stream", $"What follows '@' is {StartFrom.Rule}.");
            }
        }

        return names.Distinct(StringComparer.Ordinal).Count() == names.Length
            ? null
            : Problems.InvalidParameter("stream", "Each stream is named once.");
    }
}
