namespace AspireStreaming.StreamApi.Sessions;

/// <summary>What a media type says of how data is written.</summary>
internal static class MediaTypes
{
    /// <summary>Whether the data is JSON.</summary>
    public static bool IsJson(ReadOnlySpan<char> mediaType)
    {
        var type = Essence(mediaType);
        return type.EndsWith("/json", StringComparison.OrdinalIgnoreCase) || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether the data is text.</summary>
    public static bool IsText(ReadOnlySpan<char> mediaType) => Essence(mediaType).StartsWith("text/", StringComparison.OrdinalIgnoreCase);

    private static ReadOnlySpan<char> Essence(ReadOnlySpan<char> mediaType) =>
        (mediaType.IndexOf(';') is >= 0 and var parameters ? mediaType[..parameters] : mediaType).Trim();
}
