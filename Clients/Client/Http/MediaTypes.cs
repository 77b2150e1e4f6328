namespace AspireStreaming.Client.Http;

/// <summary>The media types that tell how data is carried.</summary>
internal static class MediaTypes
{
    public const string Json = "application/json";

    public const string Ndjson = "application/x-ndjson";

    public const string EventStream = "text/event-stream";

    public static bool IsJson(string mediaType)
    {
        var type = mediaType.AsSpan();
        type = (type.IndexOf(';') is >= 0 and var parameters ? type[..parameters] : type).Trim();
        return type.EndsWith("/json", StringComparison.OrdinalIgnoreCase) || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }
}
