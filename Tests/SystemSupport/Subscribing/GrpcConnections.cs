using Grpc.Core;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>How the end of a gRPC connection shows.</summary>
internal static class GrpcConnections
{
    /// <summary>
    /// Whether an exception is a connection's end or a passing refusal. A connection that breaks may show as INTERNAL or UNKNOWN with the
    /// reason as its cause; what is written to it at that moment fails with the HTTP client's own exception.
    /// </summary>
    public static bool IsBroken(Exception exception) =>
        exception is IOException or HttpRequestException or OperationCanceledException
        || (exception is RpcException rpc
            && (rpc.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.ResourceExhausted or StatusCode.DeadlineExceeded
                || (rpc.StatusCode is StatusCode.Internal or StatusCode.Unknown && rpc.Status.DebugException is not null)));
}
