using System.Globalization;
using AspireStreaming.StreamApi.Connections;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace AspireStreaming.StreamApi;

/// <summary>The faults of this API, in this one place.</summary>
internal static class Problems
{
    /// <summary>The stable type of a problem.</summary>
    public static string Uri(string slug) => "urn:aspirestreaming:problem:" + slug;

    /// <summary>400: a parameter is malformed.</summary>
    public static ProblemHttpResult InvalidParameter(string parameter, string detail) => TypedResults.Problem(new ProblemDetails
    {
        Type = Uri("invalid-parameter"),
        Title = $"The parameter '{parameter}' is not valid",
        Status = StatusCodes.Status400BadRequest,
        Detail = detail,
        Extensions = { ["parameter"] = parameter },
    });

    /// <summary>400: something that this version cannot do.</summary>
    public static ProblemHttpResult NotSupported(string parameter, string detail) => TypedResults.Problem(new ProblemDetails
    {
        Type = Uri("not-supported"),
        Title = "Not supported",
        Status = StatusCodes.Status400BadRequest,
        Detail = detail,
        Extensions = { ["parameter"] = parameter },
    });

    /// <summary>404: nobody knows it.</summary>
    public static ProblemHttpResult NotFound(string slug, string detail) => TypedResults.Problem(new ProblemDetails
    {
        Type = Uri(slug),
        Title = "Not found",
        Status = StatusCodes.Status404NotFound,
        Detail = detail,
    });

    /// <summary>404: no replica that answered has a connection of this id.</summary>
    public static ProblemHttpResult UnknownConnection(IReadOnlyList<string> unanswered, bool partial) => TypedResults.Problem(new ProblemDetails
    {
        Type = Uri("unknown-connection"),
        Title = "Not found",
        Status = StatusCodes.Status404NotFound,
        Detail = partial ? "No replica that answered has a connection of this id; not all did." : "There is no connection of this id.",
        Extensions = { ["unanswered"] = unanswered, ["partial"] = partial },
    });

    /// <summary>406: the client accepts no form that there is.</summary>
    public static ProblemHttpResult NotAcceptable(string detail = "Events come as text/event-stream or application/json.") => TypedResults.Problem(new ProblemDetails
    {
        Type = Uri("not-acceptable"),
        Title = "Not acceptable",
        Status = StatusCodes.Status406NotAcceptable,
        Detail = detail,
    });

    /// <summary>426: the path is for WebSockets.</summary>
    public static ProblemHttpResult UpgradeRequired() => TypedResults.Problem(new ProblemDetails
    {
        Type = Uri("upgrade-required"),
        Title = "Upgrade required",
        Status = StatusCodes.Status426UpgradeRequired,
        Detail = "This path speaks WebSocket only.",
    });

    /// <summary>429 or 503 with <c>Retry-After</c>: the client may not connect now.</summary>
    public static IResult Refused(HttpContext context, Refusal refusal)
    {
        context.Response.Headers.RetryAfter = refusal.RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        return TypedResults.Problem(new ProblemDetails
        {
            Type = Uri(refusal.Slug),
            Title = refusal.Status == StatusCodes.Status429TooManyRequests ? "Too many requests" : "Unavailable",
            Status = refusal.Status,
            Detail = refusal.Detail,
        });
    }

    /// <summary>503 with <c>Retry-After</c>.</summary>
    public static IResult Unavailable(HttpContext context, string slug, string detail, int retryAfterSeconds)
    {
        context.Response.Headers.RetryAfter = retryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        return TypedResults.Problem(new ProblemDetails
        {
            Type = Uri(slug),
            Title = "Unavailable",
            Status = StatusCodes.Status503ServiceUnavailable,
            Detail = detail,
        });
    }
}
