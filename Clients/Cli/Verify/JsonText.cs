using System.Buffers;

namespace AspireStreaming.Cli.Verify;

/// <summary>Compares JSON as it is written: every token byte for byte, only whitespace between tokens does not count.</summary>
internal static class JsonText
{
    private static readonly SearchValues<byte> Whitespace = SearchValues.Create(" \t\r\n"u8);

    public static bool AreEqual(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        if (left.SequenceEqual(right))
        {
            return true;
        }

        var (i, j) = (0, 0);
        var (inString, escaped) = (false, false);
        while (true)
        {
            if (!inString)
            {
                i = SkipWhitespace(left, i);
                j = SkipWhitespace(right, j);
            }

            if (i == left.Length || j == right.Length)
            {
                return i == left.Length && j == right.Length;
            }

            var character = left[i];
            if (character != right[j])
            {
                return false;
            }

            if (inString)
            {
                inString = escaped || character != '"';
                escaped = !escaped && character == '\\';
            }
            else
            {
                inString = character == '"';
            }

            i++;
            j++;
        }
    }

    private static int SkipWhitespace(ReadOnlySpan<byte> json, int index)
    {
        var skipped = json[index..].IndexOfAnyExcept(Whitespace);
        return skipped < 0 ? json.Length : index + skipped;
    }
}
