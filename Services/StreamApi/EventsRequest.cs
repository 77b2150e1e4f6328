using System.Globalization;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Pages;
using AspireStreaming.StreamApi.Sse;
using AspireStreaming.Streaming.Contracts;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;

namespace AspireStreaming.StreamApi;

/// <summary>The form in which a client wants events.</summary>
internal enum EventsForm
{
    /// <summary>Live, <c>text/event-stream</c>.</summary>
    Sse,

    /// <summary>A page, <c>application/json</c>.</summary>
    Page,

    /// <summary>Neither.</summary>
    NotAcceptable,
}

/// <summary>Reads the parameters of <c>GET /streams/{stream}/events</c>.</summary>
internal static class EventsRequest
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;
    private const double MaxWaitSeconds = 60;

    /// <summary>Which form the <c>Accept</c> header asks for.</summary>
    public static EventsForm FormOf(HttpRequest request)
    {
        var accept = request.Headers.Accept;
        if (accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(accept, out var types) || types.Count == 0)
        {
            return EventsForm.Page;
        }

        var page = false;
        foreach (var type in types)
        {
            if (type.Quality == 0)
            {
                continue;
            }

            if (type.MediaType.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase))
            {
                return EventsForm.Sse;
            }

            page |= type.MatchesAllTypes || type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase)
                || type.MediaType.Equals("application/*", StringComparison.OrdinalIgnoreCase);
        }

        return page ? EventsForm.Page : EventsForm.NotAcceptable;
    }

    /// <summary>Reads an SSE request; a result instead when a parameter is malformed.</summary>
    public static IResult? TryReadSse(HttpRequest request, string stream, out SseRequest? sse)
    {
        sse = null;
        if (ReadCommon(request, stream, out var from, out var types, out var tiers) is { } fault)
        {
            return fault;
        }

        if (tiers == TierSet.Archive)
        {
            return Problems.NotSupported("tier", "Nothing arrives in the archive alone; read it as pages.");
        }

        var named = true;
        if (Single(request, "named") is { } namedText && !bool.TryParse(namedText, out named))
        {
            return Problems.InvalidParameter("named", "It is 'true' or 'false'.");
        }

        if (!SubscriptionRequest.TryParsePolicy(Single(request, "policy"), out var policy))
        {
            return Problems.InvalidParameter("policy", "It is 'catch-up', 'drop' or 'disconnect'.");
        }

        var lag = SubscriptionRequest.DefaultLag;
        if (Single(request, "lag") is { } lagText
            && !(int.TryParse(lagText, NumberStyles.None, CultureInfo.InvariantCulture, out lag) && lag is >= 1 and <= SubscriptionRequest.MaxLag))
        {
            return Problems.InvalidParameter("lag", $"It is a number from 1 to {SubscriptionRequest.MaxLag}.");
        }

        sse = new SseRequest(new SubscriptionRequest(stream, from, types, policy, lag), named);
        return null;
    }

    /// <summary>Reads a page request; a result instead when a parameter is malformed.</summary>
    public static IResult? TryReadPage(HttpRequest request, string stream, out PageRequest? page)
    {
        page = null;
        if (ReadCommon(request, stream, out var from, out var types, out var tiers) is { } fault)
        {
            return fault;
        }

        var limit = DefaultLimit;
        if (Single(request, "limit") is { } limitText
            && !(int.TryParse(limitText, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MaxLimit))
        {
            return Problems.InvalidParameter("limit", $"It is a number from 1 to {MaxLimit}.");
        }

        var wait = 0d;
        if (Single(request, "wait") is { } waitText
            && !(double.TryParse(waitText, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out wait)
                && wait is >= 0 and <= MaxWaitSeconds))
        {
            return Problems.InvalidParameter("wait", $"It is a number of seconds from 0 to {MaxWaitSeconds}.");
        }

        var descending = Single(request, "order") switch
        {
            null or "asc" => false,
            "desc" => true,
            _ => (bool?)null,
        };
        if (descending is null)
        {
            return Problems.InvalidParameter("order", "It is 'asc' or 'desc'.");
        }

        if (descending.Value && !HasStart(request))
        {
            from = new StartFrom(StartKind.Now);
        }

        page = new PageRequest(stream, from, descending.Value, limit, TimeSpan.FromSeconds(wait), types, tiers);
        return null;
    }

    private static bool HasStart(HttpRequest request) =>
        request.Headers.ContainsKey("Last-Event-ID") || request.Query.ContainsKey("lastEventId") || request.Query.ContainsKey("from");

    private static ProblemHttpResult? ReadCommon(HttpRequest request, string stream, out StartFrom from, out TypeFilter? types, out TierSet tiers)
    {
        from = default;
        types = null;
        tiers = TierSet.All;
        if (!StreamName.IsValid(stream))
        {
            return Problems.InvalidParameter("stream", StreamName.Rule + ".");
        }

        // A browser sends the header when it reconnects, with the address of its first connect: the header is newer.
        var lastEventId = request.Headers["Last-Event-ID"];
        if (lastEventId.Count > 0 && lastEventId.ToString().Length > 0)
        {
            if (!StreamPosition.TryParse(lastEventId.ToString(), out var position))
            {
                return Problems.InvalidParameter("Last-Event-ID", "It is a position such as 1700000000000-42.");
            }

            from = new StartFrom(StartKind.Position, position);
        }
        else if (Single(request, "lastEventId") is { } given)
        {
            if (!StreamPosition.TryParse(given, out var position))
            {
                return Problems.InvalidParameter("lastEventId", "It is a position such as 1700000000000-42.");
            }

            from = new StartFrom(StartKind.Position, position);
        }
        else if (Single(request, "from") is { } text && !StartFrom.TryParse(text, out from))
        {
            return Problems.InvalidParameter("from", $"It is {StartFrom.Rule}.");
        }

        if (Single(request, "types") is { } list && !TypeFilter.TryParse(list, out types))
        {
            return Problems.InvalidParameter("types", $"It is a list of 1 to {TypeFilter.MaxTypes} event types, separated by commas.");
        }

        switch (Single(request, "tier"))
        {
            case null:
                return null;
            case "log":
                tiers = TierSet.Log;
                return null;
            case "archive":
                tiers = TierSet.Archive;
                return null;
            default:
                return Problems.InvalidParameter("tier", "It is 'archive' or 'log'; without it both are read.");
        }
    }

    private static string? Single(HttpRequest request, string name)
    {
        var values = request.Query[name];
        return values.Count == 0 ? null : values[^1] ?? "";
    }
}
