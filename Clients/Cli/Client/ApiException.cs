using System.Net;

namespace AspireStreaming.Cli.Client;

/// <summary>A service answered, but not with what was asked for.</summary>
internal sealed class ApiException(HttpStatusCode status, ApiProblem problem, TimeSpan? retryAfter, string message) : Exception(message)
{
    public HttpStatusCode Status { get; } = status;

    public ApiProblem Problem { get; } = problem;

    /// <summary>What <c>Retry-After</c> asked for.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>Whether the same request may succeed later.</summary>
    public bool IsTransient => Status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests
        or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;
}
