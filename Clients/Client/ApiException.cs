using System.Net;

namespace AspireStreaming.Client;

/// <summary>A service answered, but not with what was asked for.</summary>
public sealed class ApiException : StreamingException
{
    internal ApiException(HttpStatusCode status, ApiProblem problem, TimeSpan? retryAfter, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Status = status;
        Problem = problem;
        RetryAfter = retryAfter;
    }

    /// <summary>The answer's status; over gRPC the one that HTTP would have had.</summary>
    public HttpStatusCode Status { get; }

    /// <summary>The service's explanation.</summary>
    public ApiProblem Problem { get; }

    /// <summary>What <c>Retry-After</c> asked for.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>Whether the same request may succeed later.</summary>
    public bool IsTransient => Status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests
        or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;
}
