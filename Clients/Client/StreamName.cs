using System.Buffers;

namespace AspireStreaming.Client;

/// <summary>Rules for stream names.</summary>
public static class StreamName
{
    /// <summary>Most characters.</summary>
    public const int MaxLength = 200;

    /// <summary>The rules in words.</summary>
    public const string Rule = "a stream name has 1 to 200 characters from A-Z a-z 0-9 . _ : ~ - and is not '.' or '..'";

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~-");

    /// <summary>Whether it can name a stream.</summary>
    public static bool IsValid(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= MaxLength && !name.ContainsAnyExcept(Allowed) && name is not "." and not "..";

    /// <summary>Whether a character may stand in a name.</summary>
    internal static bool IsAllowed(char character) => Allowed.Contains(character);

    /// <exception cref="ArgumentException">It cannot name a stream; a path built of it would lead elsewhere.</exception>
    internal static void ThrowIfInvalid(string stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!IsValid(stream))
        {
            throw new ArgumentException($"'{stream}' cannot name a stream: {Rule}.", nameof(stream));
        }
    }
}
