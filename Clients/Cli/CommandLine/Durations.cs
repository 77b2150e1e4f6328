using System.CommandLine.Parsing;
using System.Globalization;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>Durations as people write them: <c>30</c> (seconds), <c>500ms</c>, <c>2m</c>, <c>1h</c>.</summary>
internal static class Durations
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(24);

    public static TimeSpan Parse(ArgumentResult result)
    {
        var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (TryParse(text, out var duration))
        {
            return duration;
        }

        result.AddError($"'{text}' is not a duration: write seconds (30, 0.5) or a number with ms, s, m or h, at most 24 days.");
        return default;
    }

    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        var (digits, unit) = text switch
        {
            [.. var number, 'm', 's'] => (number, 0.001),
            [.. var number, 's'] => (number, 1.0),
            [.. var number, 'm'] => (number, 60.0),
            [.. var number, 'h'] => (number, 3600.0),
            _ => (text, 1.0),
        };
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)
            || value * unit > Longest.TotalSeconds)
        {
            return false;
        }

        duration = TimeSpan.FromSeconds(value * unit);
        return true;
    }
}
