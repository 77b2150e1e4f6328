using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>
/// Answers are compressed for clients that compress their own requests: every client says that it could take gzip, so that alone
/// is no wish.
/// </summary>
internal static class ResponseCompression
{
    /// <summary>Messages below this gain nothing from being compressed, bytes.</summary>
    public const int MinBytes = 1 << 10;

    private const string Gzip = "gzip";
    private const string RequestEncoding = "grpc-encoding";

    /// <summary>The response header by which a handler asks the server for compression.</summary>
    private const string ResponseEncoding = "grpc-internal-encoding-request";

    /// <summary>Whether the call's client compresses.</summary>
    public static bool IsWanted(HttpContext context) =>
        string.Equals(context.Request.Headers[RequestEncoding], Gzip, StringComparison.OrdinalIgnoreCase);

    /// <summary>The head of the call's answer.</summary>
    public static Metadata Head(HttpContext context) => IsWanted(context) ? new Metadata { { ResponseEncoding, Gzip } } : [];
}
