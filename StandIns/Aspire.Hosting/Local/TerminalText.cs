using System.Buffers;
using System.Text;

namespace Aspire.Hosting.Local;

/// <summary>A child's output is data: it may colour its text, but not move the cursor, set titles or ring.</summary>
internal static class TerminalText
{
    private static readonly SearchValues<char> ColourParameters = SearchValues.Create("0123456789;:");

    /// <summary>Without control characters and escape sequences, but for tabs and, if wanted, colours (SGR).</summary>
    public static string Clean(string text, bool keepColours)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\x1f') && !text.AsSpan().ContainsAnyInRange('\x7f', '\x9f'))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            if (text[i] == '\e')
            {
                var end = EndOfSequence(text, i);
                if (keepColours && IsColour(text.AsSpan(i, end - i)))
                {
                    clean.Append(text, i, end - i);
                }

                i = end;
                continue;
            }

            if (text[i] == '\t' || !char.IsControl(text[i]))
            {
                clean.Append(text[i]);
            }

            i++;
        }

        return clean.ToString();
    }

    private static bool IsColour(ReadOnlySpan<char> sequence) =>
        sequence.Length >= 3 && sequence[1] == '[' && sequence[^1] == 'm' && !sequence[2..^1].ContainsAnyExcept(ColourParameters);

    private static int EndOfSequence(string text, int start)
    {
        if (start + 1 >= text.Length)
        {
            return text.Length;
        }

        switch (text[start + 1])
        {
            case '[':
                var final = text.AsSpan(start + 2).IndexOfAnyInRange('@', '~');
                return final < 0 ? text.Length : start + 2 + final + 1;
            case ']' or 'P' or '^' or '_' or 'X':
                // A string, up to BEL or ESC \.
                var end = text.AsSpan(start + 2).IndexOfAny('\a', '\e');
                return end < 0 ? text.Length : text[start + 2 + end] == '\a' ? start + 3 + end : Math.Min(start + 4 + end, text.Length);
            default:
                return start + 2;
        }
    }
}
