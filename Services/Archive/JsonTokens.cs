namespace AspireStreaming.Archive;

/// <summary>Takes tokens off compact JSON, without looking into them.</summary>
internal static class JsonTokens
{
    public static bool Take(ReadOnlySpan<byte> json, scoped ref int at, scoped ReadOnlySpan<byte> expected)
    {
        if (!json[at..].StartsWith(expected))
        {
            return false;
        }

        at += expected.Length;
        return true;
    }

    /// <summary>Takes a JSON string with its quotes.</summary>
    public static bool TakeString(ReadOnlySpan<byte> json, scoped ref int at, out ReadOnlySpan<byte> token)
    {
        token = default;
        if (at >= json.Length || json[at] != '"')
        {
            return false;
        }

        var end = at + 1;
        while (true)
        {
            var next = end < json.Length ? json[end..].IndexOfAny((byte)'"', (byte)'\\') : -1;
            if (next < 0)
            {
                return false;
            }

            end += next;
            if (json[end] == '"')
            {
                break;
            }

            end += 2;
        }

        token = json[at..(end + 1)];
        at = end + 1;
        return true;
    }

    /// <summary>Takes a string, number, boolean or null.</summary>
    public static bool TakeToken(ReadOnlySpan<byte> json, scoped ref int at)
    {
        if (at < json.Length && json[at] == '"')
        {
            return TakeString(json, ref at, out _);
        }

        var length = json[at..].IndexOfAny((byte)',', (byte)'}');
        if (length <= 0 || json[at] is (byte)'[' or (byte)'{')
        {
            return false;
        }

        at += length;
        return true;
    }
}
