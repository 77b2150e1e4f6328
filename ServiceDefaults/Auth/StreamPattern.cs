namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>A pattern of stream names: <c>*</c> stands for any characters, also none; everything else for itself.</summary>
internal static class StreamPattern
{
    /// <summary>Whether the name is one of the pattern's.</summary>
    public static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        // When a literal part does not fit, the last star takes one character more: no other star needs to be revisited, so the work
        // is at most the product of the lengths.
        var (at, star, resume) = (0, -1, 0);
        for (var index = 0; index < name.Length;)
        {
            if (at < pattern.Length && pattern[at] == '*')
            {
                star = at++;
                resume = index;
            }
            else if (at < pattern.Length && pattern[at] == name[index])
            {
                at++;
                index++;
            }
            else if (star >= 0)
            {
                at = star + 1;
                index = ++resume;
            }
            else
            {
                return false;
            }
        }

        return pattern[at..].Trim('*').IsEmpty;
    }
}
