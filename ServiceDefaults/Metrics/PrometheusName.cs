using System.Text;

namespace AspireStreaming.ServiceDefaults.Metrics;

/// <summary>Names by the rules of OpenTelemetry's Prometheus compatibility.</summary>
internal static class PrometheusName
{
    private const string TotalSuffix = "_total";

    /// <summary>
    /// <c>http.server.request.duration</c> in <c>s</c> becomes <c>http_server_request_duration_seconds</c>; a counter ends in
    /// <c>_total</c>.
    /// </summary>
    public static string OfMetric(string name, string? unit, PrometheusType type)
    {
        var result = Sanitize(name, allowColon: true);
        if (type == PrometheusType.Counter && result.EndsWith(TotalSuffix, StringComparison.Ordinal))
        {
            result = result[..^TotalSuffix.Length];
        }

        var suffix = OfUnit(unit, type);
        if (suffix.Length > 0 && result != suffix && !result.EndsWith("_" + suffix, StringComparison.Ordinal))
        {
            result = $"{result}_{suffix}";
        }

        return type == PrometheusType.Counter ? result + TotalSuffix : result;
    }

    public static string OfLabel(string key) => Sanitize(key, allowColon: false);

    private static string OfUnit(string? unit, PrometheusType type)
    {
        if (string.IsNullOrEmpty(unit))
        {
            return "";
        }

        if (unit == "1")
        {
            return type == PrometheusType.Gauge ? "ratio" : "";
        }

        var bare = WithoutAnnotations(unit);
        var slash = bare.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
        {
            return Sanitize(Whole(bare), allowColon: false).Trim('_');
        }

        return Sanitize($"{Whole(bare[..slash])}_per_{Per(bare[(slash + 1)..])}", allowColon: false).Trim('_');
    }

    /// <summary>Takes <c>{request}</c> and the like away.</summary>
    private static string WithoutAnnotations(string unit)
    {
        var builder = new StringBuilder(unit.Length);
        var depth = 0;
        foreach (var character in unit)
        {
            depth += character == '{' ? 1 : 0;
            if (depth == 0)
            {
                builder.Append(character);
            }

            depth -= character == '}' && depth > 0 ? 1 : 0;
        }

        return builder.ToString();
    }

    private static string Whole(string unit) => unit switch
    {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        _ => unit,
    };

    private static string Per(string unit) => unit switch
    {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => unit,
    };

    /// <summary>Anything but letters, digits and underscores becomes an underscore, runs of them one; no digit comes first.</summary>
    private static string Sanitize(string name, bool allowColon)
    {
        var builder = new StringBuilder(name.Length + 1);
        foreach (var character in name)
        {
            var valid = char.IsAsciiLetterOrDigit(character) || (allowColon && character == ':');
            if (builder.Length == 0 && char.IsAsciiDigit(character))
            {
                builder.Append('_');
            }

            if (valid)
            {
                builder.Append(character);
            }
            else if (builder.Length == 0 || builder[^1] != '_')
            {
                builder.Append('_');
            }
        }

        return builder.ToString();
    }
}
