using System.Globalization;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.StreamApi.Connections;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>The faults of this API as gRPC statuses.</summary>
internal static class GrpcProblems
{
    /// <summary>Trailer with the problem's type, as in HTTP.</summary>
    private const string TypeKey = "problem-type";

    /// <summary>Trailer with the seconds after which to try again.</summary>
    private const string RetryAfterKey = "retry-after";

    /// <summary>A parameter is malformed.</summary>
    public static RpcException InvalidParameter(string parameter, string detail) => new(
        new Status(StatusCode.InvalidArgument, $"The parameter '{parameter}' is not valid. {detail}"),
        new Metadata { { TypeKey, Problems.Uri("invalid-parameter") } });

    /// <summary>The caller has no claim to it.</summary>
    /// <param name="stream">The stream; null if it is not about one.</param>
    /// <param name="claim">The claim that is missing.</param>
    public static RpcException Forbidden(string? stream, string claim)
    {
        var refusal = AccessRefusal.Forbidden(stream, claim);
        return new RpcException(new Status(StatusCode.PermissionDenied, refusal.Detail), new Metadata { { TypeKey, refusal.Type } });
    }

    /// <summary>The client may not connect now.</summary>
    public static RpcException Refused(Refusal refusal) => Later(
        refusal == Refusal.Draining ? StatusCode.Unavailable : StatusCode.ResourceExhausted, refusal.Slug, refusal.Detail, refusal.RetryAfterSeconds);

    /// <summary>It cannot be done now.</summary>
    public static RpcException Unavailable(string slug, string detail, int retryAfterSeconds) =>
        Later(StatusCode.Unavailable, slug, detail, retryAfterSeconds);

    private static RpcException Later(StatusCode status, string slug, string detail, int retryAfterSeconds) => new(
        new Status(status, detail),
        new Metadata { { TypeKey, Problems.Uri(slug) }, { RetryAfterKey, retryAfterSeconds.ToString(CultureInfo.InvariantCulture) } });
}
