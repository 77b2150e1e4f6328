using System.Text.Json;
using System.Text.Unicode;

namespace AspireStreaming.Cli.Publish;

/// <summary>Checks a line and finds strings in it without decoding the rest.</summary>
internal static class JsonLine
{
    // How deep an event may nest is the service's rule; this only bounds the work.
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 10_000 };

    public static Utf8JsonReader Open(ReadOnlySpan<byte> line) => new(line, Options);

    /// <summary>Reads the whole line as one JSON value.</summary>
    /// <param name="line">UTF-8.</param>
    /// <param name="path">Names that lead from the top-level object to a string; null = only check.</param>
    /// <param name="value">The string; null when it is absent or something else. Of several the last counts.</param>
    /// <exception cref="JsonException">It is not JSON, or not UTF-8.</exception>
    public static void Read(ReadOnlySpan<byte> line, string[]? path, out string? value)
    {
        value = null;
        if (!Utf8.IsValid(line))
        {
            throw new JsonException("it is not UTF-8");
        }

        var reader = Open(line);
        var matched = 0;
        while (reader.Read())
        {
            if (path is null)
            {
                continue;
            }

            // While n names have matched, we are n objects below the top; that object's names have depth n + 1.
            if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == matched + 1
                && reader.ValueTextEquals(path[matched]))
            {
                reader.Read();
                if (matched == path.Length - 1)
                {
                    value = StringOrNull(ref reader);
                }
                else if (reader.TokenType == JsonTokenType.StartObject)
                {
                    matched++;
                }
            }
            else if (reader.TokenType == JsonTokenType.EndObject && matched > 0 && reader.CurrentDepth == matched)
            {
                matched--;
            }
        }
    }

    /// <summary>The string that the reader stands on; null when it is something else, or has half a surrogate pair.</summary>
    public static string? StringOrNull(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
