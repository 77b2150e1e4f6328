using System.Globalization;
using System.Net;
using Grpc.Core;

namespace AspireStreaming.Client.Following;

/// <summary>gRPC statuses as the faults that the same refusal is over HTTP.</summary>
internal static class GrpcFaults
{
    public static Exception Translate(RpcException exception)
    {
        var status = exception.StatusCode switch
        {
            StatusCode.InvalidArgument => HttpStatusCode.BadRequest,
            StatusCode.Unauthenticated => HttpStatusCode.Unauthorized,
            StatusCode.PermissionDenied => HttpStatusCode.Forbidden,
            StatusCode.NotFound => HttpStatusCode.NotFound,
            StatusCode.FailedPrecondition or StatusCode.Aborted or StatusCode.AlreadyExists => HttpStatusCode.Conflict,
            StatusCode.ResourceExhausted => HttpStatusCode.TooManyRequests,
            StatusCode.Unavailable => HttpStatusCode.ServiceUnavailable,
            StatusCode.Unimplemented => HttpStatusCode.NotImplemented,
            _ => default,
        };

        // Everything else is how this library reports a connection that broke.
        if (status == default || exception.Status.DebugException is HttpRequestException or IOException)
        {
            return new IOException(exception.Status.Detail, exception);
        }

        var problem = new ApiProblem(exception.Trailers.GetValue("problem-type"), null, exception.Status.Detail, null);
        TimeSpan? retryAfter =
            int.TryParse(exception.Trailers.GetValue("retry-after"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                ? TimeSpan.FromSeconds(seconds)
                : null;
        return new ApiException(status, problem, retryAfter, $"{exception.StatusCode}: {exception.Status.Detail}", exception);
    }
}
