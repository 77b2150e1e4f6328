using System.Globalization;
using System.Security.Cryptography;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// Ids that the publisher generates: <c>&lt;22 characters&gt;.&lt;index in the request&gt;</c>. Nothing is stored to recognise them;
/// a retry finds them in the log itself, so their form tells which ids to look for.
/// </summary>
public static class GeneratedId
{
    private const int AttemptLength = 22;
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    [ThreadStatic]
    private static RandomBytes? _random;

    /// <summary>A new random stem, 130 bits.</summary>
    public static string NewAttempt() => string.Create(AttemptLength, _random ??= new RandomBytes(), static (target, random) =>
    {
        for (var index = 0; index < target.Length;)
        {
            // Six bits make 64 values; the two without a character are drawn again, so that all characters are equally likely.
            var value = random.Next() & 63;
            if (value < Alphabet.Length)
            {
                target[index++] = Alphabet[value];
            }
        }
    });

    /// <summary>The id of a request's event.</summary>
    public static string For(string attempt, int index) => string.Create(CultureInfo.InvariantCulture, $"{attempt}.{index}");

    /// <summary>The stem of an id that has the generated form.</summary>
    public static bool TryGetAttempt(string id, out string attempt)
    {
        attempt = "";
        if (id.Length is < AttemptLength + 2 or > AttemptLength + 5 || id[AttemptLength] != '.'
            || id.AsSpan(AttemptLength + 1).ContainsAnyExceptInRange('0', '9') || !id.AsSpan(0, AttemptLength).ContainsOnlyAlphanumeric())
        {
            return false;
        }

        attempt = id[..AttemptLength];
        return true;
    }

    private static bool ContainsOnlyAlphanumeric(this ReadOnlySpan<char> text)
    {
        foreach (var character in text)
        {
            if (!char.IsAsciiLetterOrDigit(character))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Random bytes, asked for in larger pieces because each request to the system costs more than the bytes.</summary>
    private sealed class RandomBytes
    {
        private readonly byte[] _bytes = new byte[1024];
        private int _taken = 1024;

        public byte Next()
        {
            if (_taken == _bytes.Length)
            {
                RandomNumberGenerator.Fill(_bytes);
                _taken = 0;
            }

            return _bytes[_taken++];
        }
    }
}
