using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>Why a caller may not do what it asked for, on each transport.</summary>
/// <param name="Status">The HTTP status: 401, 403, or 503 when nobody can tell yet.</param>
/// <param name="Slug">The last part of the problem's type.</param>
/// <param name="Title">What it is.</param>
/// <param name="Detail">What is missing.</param>
public sealed record AccessRefusal(int Status, string Slug, string Title, string Detail)
{
    private const int KeysRetryAfterSeconds = 5;
    private const int GrpcPermissionDenied = 7;
    private const int GrpcUnavailable = 14;
    private const int GrpcUnauthenticated = 16;

    /// <summary>The problem's type.</summary>
    public string Type => "urn:aspirestreaming:problem:" + Slug;

    /// <summary>The stream that the caller has no right to; null if it is not about one.</summary>
    public string? Stream { get; private init; }

    /// <summary>The claim that is missing.</summary>
    public string? Claim { get; private init; }

    private string? Challenge { get; init; }

    /// <summary>403: the caller is known, but has no claim to this.</summary>
    /// <param name="stream">The stream; null if it is not about one.</param>
    /// <param name="claim"><c>publish</c>, <c>subscribe</c> or <c>admin</c>.</param>
    public static AccessRefusal Forbidden(string? stream, string claim) => new(
        StatusCodes.Status403Forbidden,
        "forbidden",
        "Not allowed",
        stream is null
            ? $"The claim '{claim}' is needed."
            : $"The claim '{claim}' has no pattern that matches the stream '{Shorten(stream)}'.")
    {
        Stream = stream is null ? null : Shorten(stream),
        Claim = claim,
        Challenge = "Bearer realm=\"aspirestreaming\", error=\"insufficient_scope\"",
    };

    internal static AccessRefusal Unauthenticated(string detail, bool isInvalidToken) =>
        new(StatusCodes.Status401Unauthorized, "unauthenticated", "Not authenticated", detail)
        {
            // RFC 6750, 3: no error code for a request that shows nothing.
            Challenge = isInvalidToken
                ? $"Bearer realm=\"aspirestreaming\", error=\"invalid_token\", error_description=\"{detail.Replace('"', '\'')}\""
                : "Bearer realm=\"aspirestreaming\"",
        };

    internal static AccessRefusal KeysUnavailable(string detail) =>
        new(StatusCodes.Status503ServiceUnavailable, "keys-unavailable", "Unavailable", detail);

    /// <summary>As the result of an HTTP handler.</summary>
    public ProblemHttpResult ToResult() => TypedResults.Problem(ToProblem());

    /// <summary>Answers the request, in the form that its transport knows.</summary>
    public async Task WriteAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var response = context.Response;
        if (context.Request.ContentType is { } type && type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase))
        {
            // A response of trailers only: what is a header here the client takes for the end of the call.
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = "application/grpc";
            response.Headers["grpc-status"] = GrpcStatus.ToString(CultureInfo.InvariantCulture);
            response.Headers["grpc-message"] = Uri.EscapeDataString(Detail);
            response.Headers["problem-type"] = Type;
            return;
        }

        response.StatusCode = Status;
        response.Headers.CacheControl = "no-store";
        if (Challenge is not null)
        {
            response.Headers.WWWAuthenticate = Status == StatusCodes.Status401Unauthorized
                ? new StringValues([Challenge, "ApiKey realm=\"aspirestreaming\""])
                : Challenge;
        }

        if (Status == StatusCodes.Status503ServiceUnavailable)
        {
            response.Headers.RetryAfter = KeysRetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        }

        await context.RequestServices.GetRequiredService<IProblemDetailsService>()
            .WriteAsync(new ProblemDetailsContext { HttpContext = context, ProblemDetails = ToProblem() });
    }

    private int GrpcStatus => Status switch
    {
        StatusCodes.Status401Unauthorized => GrpcUnauthenticated,
        StatusCodes.Status403Forbidden => GrpcPermissionDenied,
        _ => GrpcUnavailable,
    };

    private static string Shorten(string stream) => stream.Length > 200 ? stream[..200] + "…" : stream;

    private ProblemDetails ToProblem()
    {
        var problem = new ProblemDetails { Type = Type, Title = Title, Status = Status, Detail = Detail };
        if (Stream is not null)
        {
            problem.Extensions["stream"] = Stream;
        }

        if (Claim is not null)
        {
            problem.Extensions["claim"] = Claim;
        }

        return problem;
    }
}
