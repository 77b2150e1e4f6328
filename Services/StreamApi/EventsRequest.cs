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

/// <summary>How a live client wants its events.</summary>
/// <param name="Types">The types wanted; null for all.</param>
/// <param name="Named">Whether frames carry the event's type as their name.</param>
/// <param name="Policy">What to do when it falls behind.</param>
/// <param name="Lag">How far that is, events.</param>
internal readonly record struct DeliveryParameters(TypeFilter? Types, bool Named, LagPolicy Policy, long Lag);

/// <summary>Reads the parameters of <c>GET /streams/{stream}/events</c>.</summary>
internal static class EventsRequest
{
    private static readonly MediaTypeHeaderValue EventStream = new("text/event-stream");

    private const string LastEventIdHeader = "Last-Event-ID";
    private const string LastEventIdParameter = "lastEventId";
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

    /// <summary>Whether the client takes SSE where there is nothing else.</summary>
    public static bool AcceptsSse(HttpRequest request) =>
        request.Headers.Accept.Count == 0
        || !MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var types)
        || types.Count == 0
        || types.Any(type => type.Quality != 0 && EventStream.IsSubsetOf(type));

    /// <summary>Reads an SSE request; a result instead when a parameter is malformed.</summary>
    public static IResult? TryReadSse(HttpRequest request, string stream, out SseRequest? sse)
    {
        sse = null;
        if (ReadCommon(request, stream, out var from, out var tiers) is { } fault)
        {
            return fault;
        }

        if (tiers == TierSet.Archive)
        {
            return Problems.NotSupported("tier", "Nothing arrives in the archive alone; read it as pages.");
        }

        if (TryReadDelivery(request, out var delivery) is { } malformed)
        {
            return malformed;
        }

        sse = new SseRequest(new SubscriptionRequest(stream, from, delivery.Types, delivery.Policy, delivery.Lag), delivery.Named);
        return null;
    }

    /// <summary>Reads how a live client wants its events, whatever their streams; a result instead when a parameter is malformed.</summary>
    public static IResult? TryReadDelivery(HttpRequest request, out DeliveryParameters delivery)
    {
        delivery = default;
        if (ReadTypes(request, out var types) is { } fault)
        {
            return fault;
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

        delivery = new DeliveryParameters(types, named, policy, lag);
        return null;
    }

    /// <summary>What the client says it has had, and the parameter that says so.</summary>
    /// <remarks>A browser sends the header when it reconnects, with the address of its first connect: the header is newer.</remarks>
    public static (string Parameter, string? Id) LastEventId(HttpRequest request) =>
        request.Headers[LastEventIdHeader] is { Count: > 0 } header && header.ToString() is { Length: > 0 } text
            ? (LastEventIdHeader, text)
            : (LastEventIdParameter, Single(request, LastEventIdParameter));

    /// <summary>Reads a page request; a result instead when a parameter is malformed.</summary>
    public static IResult? TryReadPage(HttpRequest request, string stream, out PageRequest? page)
    {
        page = null;
        TypeFilter? types = null;
        if ((ReadCommon(request, stream, out var from, out var tiers) ?? ReadTypes(request, out types)) is { } fault)
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
        LastEventId(request).Id is not null || request.Query.ContainsKey("from");

    private static ProblemHttpResult? ReadTypes(HttpRequest request, out TypeFilter? types)
    {
        types = null;
        return Single(request, "types") is { } list && !TypeFilter.TryParse(list, out types)
            ? Problems.InvalidParameter("types", $"It is a list of 1 to {TypeFilter.MaxTypes} event types, separated by commas.")
            : null;
    }

    private static ProblemHttpResult? ReadCommon(HttpRequest request, string stream, out StartFrom from, out TierSet tiers)
    {
        from = default;
        tiers = TierSet.All;
        if (!StreamName.IsValid(stream))
        {
            return Problems.InvalidParameter("stream", StreamName.Rule + ".");
        }

        var (parameter, id) = LastEventId(request);
        if (id is not null)
        {
            if (!StreamPosition.TryParse(id, out var position))
            {
                return Problems.InvalidParameter(parameter, "It is a position such as 1700000000000-42.");
            }

            from = new StartFrom(StartKind.Position, position);
        }
        else if (Single(request, "from") is { } text && !StartFrom.TryParse(text, out from))
        {
            return Problems.InvalidParameter("from", $"It is {StartFrom.Rule}.");
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
        if (!request.QueryString.HasValue)
        {
            // To look at the parsed query is to have it for as long as the request lasts.
            return null;
        }

        var values = request.Query[name];
        return values.Count == 0 ? null : values[^1] ?? "";
    }
}
